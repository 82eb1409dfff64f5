"""Stages that work at the same time: each in a thread of its own, with a short queue between."""

import threading
from collections.abc import Generator
from dataclasses import dataclass
from queue import Empty, Queue
from typing import TypeVar

T = TypeVar("T")

DEPTH = 2  # items that wait between two stages; with fewer, a stage that stops could hang


@dataclass(frozen=True)
class _End:
    error: BaseException | None


def prefetch(items: Generator[T]) -> Generator[T]:
    """The items of a generator, made ahead in another thread, a few at a time.

    An error is raised here, after the items before it. When this generator is
    closed, the thread stops before its next item and closes `items`.
    """
    queue: Queue[T | _End] = Queue(DEPTH)
    stopped = threading.Event()

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                queue.put(item)
                if stopped.is_set():
                    break
        except BaseException as raised:
            error = raised
        try:
            items.close()
        finally:
            queue.put(_End(error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while not isinstance(item := queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        _drain(queue)
        thread.join()


def _drain(queue: Queue[T]) -> None:
    """Let go whoever waits to put something in."""
    while True:
        try:
            queue.get_nowait()
        except Empty:
            return
