"""Requests that arrive together run as one batch."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from services.errors import Overloaded

Item = TypeVar("Item")
Result = TypeVar("Result")


class MicroBatcher(Generic[Item, Result]):
    """Calls `run` in one worker thread with whatever is waiting.

    A lone item runs at once; while a batch runs the next one gathers, so that
    batches grow with the load and nobody waits for a timer. An item whose
    request is gone (timed out, cancelled) is dropped before it is computed.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Sequence[Result]],
        max_batch_size: int,
        max_waiting: int,
    ) -> None:
        self._run = run
        self._max_batch_size = max_batch_size
        self._max_waiting = max_waiting
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._worker: asyncio.Task[None] | None = None

    async def __call__(self, item: Item) -> Result:
        """The result for one item; Overloaded if too many are waiting."""
        if len(self._waiting) >= self._max_waiting:
            raise Overloaded
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while batch := self._take():
                items, futures = zip(*batch, strict=True)
                outcomes = await loop.run_in_executor(self._thread, self._outcomes, items)
                for future, outcome in zip(futures, outcomes, strict=True):
                    if future.done():
                        continue
                    if isinstance(outcome, BaseException):
                        future.set_exception(outcome)
                    else:
                        future.set_result(outcome)
        finally:
            self._worker = None

    def _outcomes(self, items: Sequence[Item]) -> list[Result | BaseException]:
        """The result of each item, or its own error: one that fails takes no other with it."""
        try:
            return [result for _, result in zip(items, self._run(items), strict=True)]
        except BaseException as error:
            if len(items) == 1:
                return [error]
            return [outcome for item in items for outcome in self._outcomes([item])]

    def _take(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        while self._waiting and len(batch) < self._max_batch_size:
            item, future = self._waiting.popleft()
            if not future.done():
                batch.append((item, future))
        return batch
