"""The edge without BentoML's own application behind it, and requests to it."""

from collections.abc import Iterable, Iterator
from typing import Any

import httpx
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message

from services.edge import Edge
from tests.services.asgi import run, scope_of
from tests.services.echo import Echo


def new_edge() -> Edge:
    return Edge(PlainTextResponse("behind the edge"), service=Echo)


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


def send(method: str, path: str, app: Edge | None = None, **request: Any) -> httpx.Response:
    """What an edge, by default a new one, answers to one request."""
    answers = []

    async def main() -> None:
        async with client_of(app or new_edge()) as client:
            answers.append(await client.request(method, path, **request))

    run(main())
    return answers[0]


def post(path: str, **request: Any) -> httpx.Response:
    return send("POST", path, **request)


def chunks(*bodies: bytes, end: bool = True) -> Iterator[Message]:
    """The messages of a body that comes in pieces; then, without an end, the client goes away."""
    for index, body in enumerate(bodies):
        more = not end or index < len(bodies) - 1
        yield {"type": "http.request", "body": body, "more_body": more}
    if not end:
        yield {"type": "http.disconnect"}


def status(sent: list[Message]) -> int:
    number: int = sent[0]["status"]
    return number


def refused_while_it_sends(
    pieces: Iterable[Message],
    status: int = 413,
    path: str = "/describe",
    app: Edge | None = None,
    **headers: str,
) -> tuple[int, list[int]]:
    """How many messages of a body are read in all, and before each part of the answer."""
    read, before = 0, []
    messages = iter(pieces)

    async def receive() -> Message:
        nonlocal read
        read += 1
        return next(messages)

    async def send(message: Message) -> None:
        before.append(read)
        assert message.get("status", status) == status

    run((app or new_edge())(scope_of(path, **headers), receive, send))
    return read, before
