"""A server of weights, with all that may go wrong on the way."""

import hashlib
import http.server
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CONTENT = bytes(range(256)) * 4000  # about 1 MB
NOWHERE = "http://127.0.0.1:9/"  # nothing listens there


def named(content: bytes) -> str:
    return f"net-{hashlib.sha256(content).hexdigest()[:8]}.pth"


NAME = named(CONTENT)


class Server(http.server.ThreadingHTTPServer):
    """Serves one content; `break_after` bytes it hangs up, `breaks` times.

    It logs ranges, and as whom it was asked.
    """

    content = CONTENT
    ranges = True
    length = True
    breaks = 0
    break_after: Iterator[int] = itertools.repeat(300_000)
    moved = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.authorizations: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/models"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, asked = self.server, self.headers["Range"]
        server.asked.append((self.path, asked))
        server.authorizations.append(self.headers["Authorization"])
        if server.moved:
            self.send_response(302)
            self.send_header("Location", server.moved)
            return self.end_headers()
        if not self.path.partition("?")[0].endswith(".pth"):
            return self.send_error(404)
        content, start = server.content, 0
        if asked and server.ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                return self.send_error(416)
            self.send_response(206)
        else:
            self.send_response(200)
        if server.length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if server.breaks:
            server.breaks -= 1
            content = content[: start + next(server.break_after)]
        self.wfile.write(content[start:])
        return None

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server
