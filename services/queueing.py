"""Requests one after another, where a batch would not be faster."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.errors import Overloaded


class Queue:
    """At most `running` requests at a time, in the order of their coming.

    The others wait, at most `max_waiting` of them; one whose request is gone
    (timed out, cancelled) gives its place up.
    """

    def __init__(self, running: int, max_waiting: int) -> None:
        self._places = asyncio.Semaphore(running)
        self._max_waiting = max_waiting
        self._waiting = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A turn among those that run; Overloaded if too many are waiting for one."""
        if self._places.locked() and self._waiting >= self._max_waiting:
            raise Overloaded
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()
