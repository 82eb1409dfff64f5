"""The server's side of the ASGI protocol."""

import asyncio
from typing import Any

import httpx
import pytest

from bentoml_run.asgi import Answer, App, started
from bentoml_run.errors import Failure

POST = httpx.Request("POST", "http://localhost/a%20b?c=d", content=b"body")


def lifespan(app: App) -> App:
    """An application that starts, stops, and otherwise is `app`."""

    async def with_lifespan(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        scope["state"]["started"] = True
        for _ in range(2):
            event = (await receive())["type"]
            await send({"type": f"{event}.complete"})

    return with_lifespan


def call(app: App) -> Answer:
    async def main() -> Answer:
        async with started(lifespan(app)) as application:
            return await application.send(POST)

    return asyncio.run(main())


def test_request_and_answer() -> None:
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope)
        body = b""
        while (message := await receive())["more_body"]:
            body += message["body"]
        await send({"type": "http.response.start", "status": 201, "headers": [(b"X-Y", b"z")]})
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"!"})
        assert (await receive())["type"] == "http.disconnect"
        seen["ended"] = True

    assert call(app) == Answer(201, (("x-y", "z"),), b"body!")
    assert (seen["path"], seen["raw_path"]) == ("/a b", b"/a%20b")
    assert seen["query_string"] == b"c=d"
    assert seen["state"] == {"started": True}
    assert (b"content-length", b"4") in seen["headers"]
    assert "bentoml_run" in seen["extensions"]
    assert seen["ended"]


def test_exception_before_the_answer() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError

    assert call(app).status == 500


def test_exception_in_the_answer() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        raise RuntimeError

    with pytest.raises(Failure, match="broke off"):
        call(app)


def test_exception_at_startup() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "a traceback"})
        raise ValueError("why")

    async def main() -> None:
        async with started(app):
            raise AssertionError("it has not started")

    with pytest.raises(ValueError, match="why"):
        asyncio.run(main())


def test_media_type() -> None:
    answer = Answer(200, (("content-type", "Text/Plain; charset=utf-8"),), b"")
    assert answer.media_type == "text/plain"
    assert Answer(200, (), b"").media_type == ""
