"""A service in this process, and requests to it without a network."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.types import ASGIApp, Message


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine; one that hangs fails."""
    asyncio.run(asyncio.wait_for(main, 120))


@asynccontextmanager
async def started(service: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a BentoML service that has started; what the service raises, a call raises."""
    app = service.to_asgi()
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        yield client


async def exchange(
    app: ASGIApp, path: str, messages: Iterable[Message], **headers: str
) -> list[Message]:
    """POST to an application message by message, and return what it sends.

    `messages` is asked for the next one when the application is.
    """
    waiting = iter(messages)
    sent: list[Message] = []

    async def receive() -> Message:
        return next(waiting)

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope_of(path, **headers), receive, send)
    return sent


def scope_of(path: str, **headers: str) -> dict[str, Any]:
    """A POST's, as an application is given it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
