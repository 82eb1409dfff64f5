"""The body of a request, piece by piece."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from services.errors import RequestRefused
from services.settings import FORM_OVERHEAD, MIB

LINGER = 10.0  # seconds for which a body is read on after its answer


class ClientDisconnected(Exception):
    """The client went away before it had an answer."""


class TooLarge(RequestRefused):
    """An upload has more than `limit` bytes."""

    def __init__(self, limit: int, setting: str) -> None:
        super().__init__(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the upload is larger than {limit // MIB} MiB (the server's {setting})",
            headers={"Connection": "close"},
        )


class Body:
    """ASGI's `receive`, which knows how much of a request's body was read."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._size = 0
        self.ended = False

    async def __call__(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        self.ended = not message.get("more_body", False)
        return message

    async def drop(self, limit: int) -> None:
        """Read on to the end, or until `limit` bytes were read in all, for LINGER seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while not self.ended and self._size < limit:
                    await self()


async def answer(response: Response, scope: Scope, body: Body, send: Send, limit: int) -> None:
    """Answer a request; where its body is still sent, the connection stays open for a while.

    Many clients read nothing before they have sent everything. If the connection were
    closed at once, all that they would see is that it broke. At most `limit` bytes of
    the body are read.
    """
    if body.ended:
        await response(scope, body, send)
        return

    async def keep_open(message: Message) -> None:
        ends = message["type"] == "http.response.body"
        await send({**message, "more_body": True} if ends else message)

    await response(scope, body, keep_open)
    await body.drop(limit)
    await send({"type": "http.response.body"})


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
            raise TooLarge(limit, setting)
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
        raise TooLarge(limit, setting)
    return int(length)
