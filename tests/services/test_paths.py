from pathlib import Path
from typing import Any

import bentoml
import pytest
from starlette.types import Message

from services.edge import guard
from services.paths import UNKNOWN, KnownPaths
from services.serving import PublicService
from tests.services.asgi import exchange, run, started


# BentoML's metrics can be registered only once a process.
@bentoml.service(metrics={"enabled": False}, service_class=PublicService)
class Small:
    @bentoml.api
    async def say(self, text: str) -> str:
        return text

    @bentoml.task
    def work(self, file: Path) -> str:
        """Say its name."""
        return file.name


guard(Small)


def test_only_known_paths_are_asked_for() -> None:
    asked: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["path"])

    async def main() -> None:
        for path in ("/a", "/b", "/a\n", "/a/", ""):
            await exchange(KnownPaths(app, ["/a"]), path, [])

    run(main())
    assert asked == ["/a", *[UNKNOWN] * 4]


def test_websockets_are_closed_before_anybody_counts_them() -> None:
    sent: list[Message] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        pytest.fail("it is asked")

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/a"}
    run(KnownPaths(app, ["/a"])(scope, receive, send))
    assert sent == [{"type": "websocket.close"}]


def test_all_that_a_service_has_is_known() -> None:
    async def main() -> None:
        async with started(Small) as client:
            for path in (
                "/",
                "/page.css",
                "/page.js",
                "/docs.json",
                "/schema.json",
                "/livez",
                "/readyz",
            ):
                assert (await client.get(path)).status_code == 200
            assert (await client.get("/static_content/swagger-ui.css")).status_code == 200
            assert (await client.post("/say", json={"text": "a"})).text == "a"
            for path in ("submit", "status", "get", "retry", "cancel"):
                assert (await client.patch(f"/work/{path}")).status_code == 405
            for path in ("/nothing", "/static_content/nothing", "/say/", "/say%0A"):
                answer = await client.get(path)
                assert (answer.status_code, answer.json()) == (404, {"error": "not found"})

    run(main())
