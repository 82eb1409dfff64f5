"""The body of a request, piece by piece."""

from collections.abc import AsyncGenerator, Mapping
from http import HTTPStatus

from starlette.types import Receive

from services.errors import RequestRefused
from services.settings import FORM_OVERHEAD, MIB


class ClientDisconnected(Exception):
    """The client went away before it had an answer."""


async def pieces(
    headers: Mapping[str, str], receive: Receive, limit: int, setting: str
) -> AsyncGenerator[bytes]:
    """What a request sends, a form's own lines not counted; RequestRefused (413) beyond `limit`.

    By its declared length before a byte is read, else on the way. `setting` is
    the variable that holds the limit. Close it, or use it with `aclosing`.
    """
    declared = declared_size(headers, limit, setting)
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit + FORM_OVERHEAD:
            raise too_large(limit, setting)
        yield piece
        if not message.get("more_body"):
            if "upgrade" in headers and size < (declared or 0):
                # uvicorn drops the body of a request that asks for another protocol, too.
                raise RequestRefused(
                    HTTPStatus.BAD_REQUEST,
                    f"{size} of {declared} bytes arrived: send it as HTTP/1.1, without Upgrade",
                )
            return


def declared_size(headers: Mapping[str, str], limit: int, setting: str) -> int | None:
    """The declared length of a body, None if there is none; RequestRefused (413) beyond `limit`."""
    length = headers.get("content-length", "")
    if not length.isdecimal():
        return None
    if int(length) > limit + FORM_OVERHEAD:
        raise too_large(limit, setting)
    return int(length)


def too_large(limit: int, setting: str) -> RequestRefused:
    """The refusal of an upload of more than `limit` bytes."""
    return RequestRefused(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the upload is larger than {limit // MIB} MiB (the server's {setting})",
        headers={"Connection": "close"},
    )
