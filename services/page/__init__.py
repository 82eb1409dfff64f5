"""The service's page at `/`: to try a photo on it, and to read about its APIs.

BentoML's own page loads a third party's script. This one shows the same
Swagger UI, which BentoML ships, and forbids the browser to load anything else.
"""

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

FOLDER = Path(__file__).parent
FILES = {
    "/": "index.html",
    **{f"/{name}": name for name in ("page.css", "page.js", "answers.js", "server.js")},
}

# Swagger UI sets styles on elements and draws its icons from data: URLs; answers are blobs.
POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "media-src blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)


async def show(request: Request) -> FileResponse:
    # Not kept by browsers without asking, or a page of one version could get a script of another.
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    return FileResponse(FOLDER / FILES[request.url.path], headers=headers)


def is_page(path: str) -> bool:
    """Whether a path is of the page itself, which says nothing about the service."""
    return path in FILES or path.startswith("/static_content/")


page = Starlette(routes=[Route(path, show) for path in FILES])
