"""Requests one after another, where a batch would not be faster."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from PIL import Image

from services.errors import Overloaded

Result = TypeVar("Result")

LARGE_PICTURE = 25_000_000  # pixels; decoded, these are 100 MB


class Queue:
    """Lets at most `running` requests run at a time, and one at most whose picture is large.

    First come, first served, but small pictures overtake large ones. At most
    `max_waiting` requests wait; one that is gone (timed out, cancelled) gives up its
    place.
    """

    def __init__(self, running: int, max_waiting: int) -> None:
        self._places = asyncio.Semaphore(running)
        self._large = asyncio.Semaphore(1)
        self._max_waiting = max_waiting
        self._waiting = 0

    @asynccontextmanager
    async def place(self, image: Image.Image) -> AsyncIterator[None]:
        """A turn among those that run; Overloaded if too many are waiting for one."""
        large = image.width * image.height > LARGE_PICTURE
        gates = [self._large, self._places] if large else [self._places]
        if any(gate.locked() for gate in gates) and self._waiting >= self._max_waiting:
            raise Overloaded
        async with AsyncExitStack() as taken:
            self._waiting += 1
            try:
                for gate in gates:
                    await taken.enter_async_context(gate)
            finally:
                self._waiting -= 1
            yield


async def outcome(future: "Future[Result]") -> Result:
    """The result of what runs in a thread.

    If the request is gone meanwhile (timed out, cancelled), work that has not begun
    is dropped. Otherwise this still waits for the thread to end: until then its
    picture is in memory, and its place is taken.
    """
    waiting = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        if not future.cancel():
            await asyncio.wait([waiting])
        raise
