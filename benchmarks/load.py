"""The client: keeps a number of connections busy, times and checks every answer."""

import asyncio
import base64
import itertools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import httptools
import numpy as np
import uvloop

from benchmarks.servers import Form

BOUNDARY = "----------------------------benchmark"

Right = Callable[[bytes], bool]


@dataclass(frozen=True)
class Exchange:
    """One request as it goes over the wire, and which answers to it are right."""

    request: bytes
    right: Right


@dataclass(frozen=True)
class Figure:
    """What one run of the client saw: requests/s of right answers, latencies in milliseconds.

    `cpu` is the server's processor time per answer in milliseconds: unlike the
    others it hardly depends on what else the machine is busy with.
    """

    rate: float
    p50: float
    p99: float
    answered: int
    errors: int
    cpu: float = 0.0


def says(label: str) -> Right:
    """The answers that are this label, as text or as JSON."""
    expected = label.encode()
    return lambda body: body.strip(b'"') == expected


def request(path: str, photo: bytes, form: Form) -> bytes:
    """An HTTP request with a photo, as the file of a form, as the body, or in JSON."""
    if form == "multipart":
        content_type = f"multipart/form-data; boundary={BOUNDARY}"
        head = (
            f"--{BOUNDARY}\r\n"
            'Content-Disposition: form-data; name="image"; filename="photo.jpg"\r\n'
            "Content-Type: image/jpeg\r\n\r\n"
        )
        body = head.encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode()
    elif form == "base64":
        content_type = "application/json"
        body = json.dumps({"image": base64.b64encode(photo).decode()}).encode()
    else:
        content_type, body = "image/jpeg", photo
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Accept: */*",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def run(port: int, exchanges: Sequence[Exchange], clients: int, seconds: float) -> Figure:
    """Send requests for `seconds`, each client its next as soon as its last is answered."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(port, exchanges, clients, seconds))


async def _run(port: int, exchanges: Sequence[Exchange], clients: int, seconds: float) -> Figure:
    loop = asyncio.get_running_loop()
    source = itertools.cycle(exchanges)
    start = time.perf_counter()
    protocol = partial(_Connection, source, start + seconds)
    connections = []
    for _ in range(clients):
        _, connection = await loop.create_connection(protocol, "127.0.0.1", port)
        connections.append(connection)
    await asyncio.wait_for(asyncio.gather(*(c.done for c in connections)), seconds + 30)
    elapsed = max(c.last for c in connections) - start
    latencies = np.concatenate([c.latencies for c in connections]) * 1000
    if not len(latencies):
        raise RuntimeError("not one right answer")
    p50, p99 = np.percentile(latencies, [50, 99])
    errors = sum(c.errors for c in connections)
    return Figure(len(latencies) / elapsed, float(p50), float(p99), len(latencies), errors)


class _Connection(asyncio.Protocol):
    def __init__(self, source: Iterator[Exchange], deadline: float) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.latencies: list[float] = []
        self.errors = 0
        self.last = 0.0
        self._source = source
        self._deadline = deadline
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.errors += 1
            self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.last = time.perf_counter()
        if self._parser.get_status_code() == 200 and self._right(self._body):
            self.latencies.append(self.last - self._sent)
        else:
            self.errors += 1
        if self.last < self._deadline:
            self._next()
        else:
            self.done.set_result(None)
            self._transport.close()

    def _next(self) -> None:
        exchange = next(self._source)
        self._right = exchange.right
        self._body = b""
        self._parser = httptools.HttpResponseParser(self)
        self._sent = time.perf_counter()
        self._transport.write(exchange.request)
