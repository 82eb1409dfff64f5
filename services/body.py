"""The body of a request, piece by piece."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from services.errors import RequestRefused
from services.settings import FORM_OVERHEAD, MIB

LINGER = 10.0  # seconds for which a body that is too large is read on


class ClientDisconnected(Exception):
    """The client went away before it had an answer."""


class TooLarge(RequestRefused):
    """An upload has more than `limit` bytes; `rest` of it may still be read, and dropped."""

    def __init__(self, limit: int, setting: str, rest: int = 0) -> None:
        super().__init__(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the upload is larger than {limit // MIB} MiB (the server's {setting})",
            headers={"Connection": "close"},
        )
        self._rest = rest

    def response(self) -> Response:
        return _EarlyAnswer(self._rest, {"error": self.message}, self.status, self.headers)


class _EarlyAnswer(JSONResponse):
    """An answer to a client that still sends: the connection stays open for a while.

    Many clients read nothing before they have sent everything. If the connection were
    closed at once, all that they would see is that it broke.
    """

    def __init__(self, rest: int, *args: Any) -> None:
        super().__init__(*args)
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def keep_open(message: Message) -> None:
            ends = message["type"] == "http.response.body"
            await send({**message, "more_body": True} if ends else message)

        await super().__call__(scope, receive, keep_open)
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                await _drop(receive, self._rest)
        await send({"type": "http.response.body"})


async def _drop(receive: Receive, rest: int) -> None:
    """Read and drop what still comes, at most `rest` bytes."""
    more = True
    while more and rest > 0:
        message = await receive()
        rest -= len(message.get("body", b""))
        more = message.get("more_body", False)


async def pieces(
    headers: Mapping[str, str], receive: Receive, limit: int, setting: str
) -> AsyncGenerator[bytes]:
    """The pieces of a request's body; RequestRefused (413) if it is larger than `limit` bytes.

    It is refused for the length that it declares before a byte is read, or else on
    the way; FORM_OVERHEAD bytes more are allowed, for a form's own lines. `setting`
    is the variable that holds the limit. Close the generator, or use it with
    `aclosing`.
    """
    declared = declared_size(headers, limit, setting)
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        piece, more = message.get("body", b""), message.get("more_body", False)
        size += len(piece)
        if size > limit + FORM_OVERHEAD:
            raise TooLarge(limit, setting, limit if more else 0)
        yield piece
        if not more:
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
        raise TooLarge(limit, setting, 2 * limit)
    return int(length)
