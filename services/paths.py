"""Replace all unknown paths by a single one, so that what is kept for each path stays small.

BentoML's metrics see a request before anything that a service can add. They have a
series for every path that was ever asked for, with an API key or without: 7 kB of
memory for good. So the application is given only paths that it has, and no
WebSocket: there is none here.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

UNKNOWN = "/unknown"
HEALTH = frozenset({"/livez", "/readyz", "/healthz"})  # BentoML's own, which say nothing else


class KnownPaths:
    """Middleware that replaces any path that is not in `paths` by UNKNOWN."""

    def __init__(self, app: ASGIApp, paths: Iterable[str]) -> None:
        self.app = app
        self.paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        if scope["type"] == "http" and scope["path"] not in self.paths:
            scope = {**scope, "path": UNKNOWN, "raw_path": UNKNOWN.encode()}
        await self.app(scope, receive, send)


def paths_of(routes: Iterable[BaseRoute]) -> Iterator[str]:
    """The path of each route and of each file that is served."""
    for route in routes:
        if isinstance(route, Route):
            yield route.path
        elif isinstance(route, Mount) and isinstance(route.app, StaticFiles):
            folder = Path(str(route.app.directory))
            files = (file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
            yield from (f"{route.path}/{file.as_posix()}" for file in files)
        elif isinstance(route, Mount) and isinstance(route.app, Starlette):
            yield from (route.path + path for path in paths_of(route.app.routes))
