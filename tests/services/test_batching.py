import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from services.batching import MicroBatcher
from services.errors import Overloaded
from tests.services.asgi import run


class Panic(BaseException):
    """What extensions written in Rust raise: not an Exception."""


class Doubler:
    """A model that notes its batches, may be held, and fails on the item 13."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.started = threading.Event()
        self.go = threading.Event()
        self.go.set()
        self.error: BaseException = ArithmeticError("13")

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.started.set()
        assert self.go.wait(120)
        if 13 in items:
            raise self.error
        return [2 * item for item in items]


def batcher(model: Callable[[Sequence[int]], list[int]], waiting: int = 99) -> Any:
    return MicroBatcher(model, max_batch_size=4, max_waiting=waiting)


async def busy(model: Doubler, batch: MicroBatcher[int, int]) -> "asyncio.Task[int]":
    """Have the model work on the item 0 until it may go."""
    model.go.clear()
    first = asyncio.ensure_future(batch(0))
    await asyncio.to_thread(model.started.wait, 120)
    return first


async def start(batch: MicroBatcher[int, int], items: Sequence[int]) -> "list[asyncio.Task[int]]":
    tasks = [asyncio.ensure_future(batch(item)) for item in items]
    await asyncio.sleep(0)  # a turn of the loop, in which each of them takes its place
    return tasks


def test_a_lone_item_runs_at_once() -> None:
    model = Doubler()

    async def main() -> None:
        assert await batcher(model)(21) == 42
        assert model.batches == [[21]]

    run(main())


def test_items_that_wait_together_run_together_in_order() -> None:
    model = Doubler()

    async def main() -> None:
        batch = batcher(model)
        first = await busy(model, batch)
        tasks = await start(batch, range(1, 7))
        model.go.set()
        assert await asyncio.gather(first, *tasks) == [0, 2, 4, 6, 8, 10, 12]
        assert model.batches == [[0], [1, 2, 3, 4], [5, 6]]

    run(main())


@pytest.mark.parametrize("error", [ArithmeticError("13"), Panic()])
def test_an_item_that_makes_the_model_fail_fails_alone(error: BaseException) -> None:
    model = Doubler()
    model.error = error

    async def main() -> None:
        batch = batcher(model)
        first = await busy(model, batch)
        tasks = await start(batch, [1, 13, 3])
        model.go.set()
        answers = await asyncio.gather(first, *tasks, return_exceptions=True)
        assert answers == [0, 2, error, 6]
        assert await batch(5) == 10

    run(main())


def test_a_model_that_loses_an_answer_fails_and_hangs_nobody() -> None:
    async def main() -> None:
        batch = batcher(lambda items: [])
        with pytest.raises(ValueError, match="shorter"):
            await batch(1)

    run(main())


def test_a_cancelled_item_is_not_computed() -> None:
    model = Doubler()

    async def main() -> None:
        batch = batcher(model)
        first = await busy(model, batch)
        one, two, three = await start(batch, [1, 2, 3])
        two.cancel()
        first.cancel()
        model.go.set()
        assert [await one, await three] == [2, 6]
        assert model.batches == [[0], [1, 3]]
        assert first.cancelled()

    run(main())


def test_too_many_waiting_items_are_refused_until_there_is_room() -> None:
    model = Doubler()

    async def main() -> None:
        batch = batcher(model, waiting=2)
        first = await busy(model, batch)
        tasks = await start(batch, [1, 2])
        with pytest.raises(Overloaded):
            await batch(3)
        model.go.set()
        await asyncio.gather(first, *tasks)
        assert await batch(3) == 6

    run(main())


def test_a_new_worker_takes_over_when_one_is_cancelled() -> None:
    model = Doubler()

    async def main() -> None:
        batch = batcher(model)
        await busy(model, batch)
        batch._worker.cancel()
        await asyncio.sleep(0)
        model.go.set()
        assert await batch(4) == 8

    run(main())
