"""Call an ASGI application in this process, as a server would.

The protocol is https://asgi.readthedocs.io/en/stable/specs/; httpx encodes the requests. There is
no transport of httpx in between, so that a streamed answer can be seen while it comes.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bentoml_run.errors import Failure

if TYPE_CHECKING:
    import httpx

Message = dict[str, Any]
App = Callable[..., Any]
OnChunk = Callable[["Answer", bytes], None]
# Of the protocol: a service may ask who comes over a network for what its own user need not have.
EXTENSIONS: Message = {"bentoml_run": {}}
VERSION = {"version": "3.0", "spec_version": "2.3"}  # what uvicorn declares


@dataclass(frozen=True)
class Answer:
    """A whole HTTP response; header names are in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def media_type(self) -> str:
        return self.header("content-type").partition(";")[0].strip().lower()

    def header(self, name: str) -> str:
        """The value of a header, or an empty string."""
        return next((value for key, value in self.headers if key == name), "")


class Application:
    """An ASGI application that has started."""

    def __init__(self, app: App, state: dict[str, Any]) -> None:
        self._app = app
        self._state = state

    async def send(self, request: "httpx.Request", on_chunk: OnChunk | None = None) -> Answer:
        """Send a request and wait until the application has done with it, background tasks too.

        The request's body is read as the application asks for it. `on_chunk` is called with the
        head of the answer and each piece of its body. Failure if the application breaks off in
        the middle of its answer, OSError if `on_chunk` raises it.
        """
        exchange = _Exchange(request, on_chunk)
        # A task of its own, as in a server, so that no context variable outlives the request.
        task = asyncio.create_task(self._app(self._scope(request), exchange.receive, exchange.send))
        await asyncio.wait({task})
        error = task.exception()
        if error is not None and not isinstance(error, Exception):
            raise error
        return exchange.answer()  # a server logs other errors; its client sees the answer alone

    def _scope(self, request: "httpx.Request") -> Message:
        path, _, query = request.url.raw_path.partition(b"?")
        return {
            "type": "http",
            "asgi": VERSION,
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": request.url.path,
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": ("127.0.0.1", 0),
            "server": ("127.0.0.1", 80),
            "state": self._state.copy(),
            "extensions": EXTENSIONS,
        }


class _Exchange:
    """One request and its answer, from the server's side of the protocol."""

    def __init__(self, request: "httpx.Request", on_chunk: OnChunk | None) -> None:
        self._chunks = iter(request.stream)  # type: ignore[arg-type]
        self._sent = False
        self._on_chunk = on_chunk
        self._unwritten: OSError | None = None
        self._head: Answer | None = None
        self._body: list[bytes] = []
        self._complete = asyncio.Event()

    async def receive(self) -> Message:
        if self._sent:
            await self._complete.wait()
            return {"type": "http.disconnect"}
        chunk = next(self._chunks, None)
        self._sent = chunk is None
        return {"type": "http.request", "body": chunk or b"", "more_body": not self._sent}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._head = Answer(message["status"], _decode(message.get("headers", ())), b"")
        elif message["type"] == "http.response.body" and self._head is not None:
            chunk = bytes(message.get("body", b""))
            self._body.append(chunk)
            if self._on_chunk is not None:
                try:
                    self._on_chunk(self._head, chunk)
                except OSError as error:
                    self._unwritten = error
                    raise  # so that the application stops streaming
            if not message.get("more_body", False):
                self._complete.set()

    def answer(self) -> Answer:
        if self._unwritten is not None:
            raise self._unwritten
        if self._head is None:
            return Answer(500, (("content-type", "text/plain"),), b"Internal Server Error")
        if not self._complete.is_set():
            raise Failure("the service broke off in the middle of its answer")
        return replace(self._head, body=b"".join(self._body))


@asynccontextmanager
async def started(app: App) -> AsyncIterator[Application]:
    """Start an application, and shut it down at the end.

    What the application raises meanwhile is raised.
    """
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    outbox: asyncio.Queue[Message] = asyncio.Queue()
    state: dict[str, Any] = {}
    scope = {"type": "lifespan", "asgi": VERSION, "state": state}

    task = asyncio.create_task(app(scope, inbox.get, outbox.put))

    async def step(name: str) -> None:
        await inbox.put({"type": f"lifespan.{name}"})
        reply = asyncio.create_task(outbox.get())
        await asyncio.wait({task, reply}, return_when=asyncio.FIRST_COMPLETED)
        if reply.done() and reply.result()["type"] == f"lifespan.{name}.complete":
            return
        reply.cancel()
        await task  # raises what went wrong
        raise Failure(f"the service did not confirm its {name}")

    await step("startup")
    try:
        yield Application(app, state)
    finally:
        await step("shutdown")
        await task


def _decode(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers
    )
