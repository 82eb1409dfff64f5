import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from services.errors import Overloaded
from services.queueing import LARGE_PICTURE, Queue, outcome
from tests.services.asgi import run

SMALL, LARGE = Image.new("1", (1, 1)), Image.new("1", (LARGE_PICTURE + 1, 1))


async def turns() -> None:
    """Let the others run as far as they can."""
    for _ in range(5):
        await asyncio.sleep(0)


class Work:
    """Requests that hold their place until they may go; notes who has started."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.started: list[int] = []
        self.go = asyncio.Event()

    async def __call__(self, number: int, image: Image.Image = SMALL) -> int:
        async with self.queue.place(image):
            self.started.append(number)
            await self.go.wait()
        return number


def test_so_many_run_and_the_others_follow_in_order() -> None:
    async def main() -> None:
        work = Work(Queue(running=2, max_waiting=9))
        tasks = [asyncio.ensure_future(work(k)) for k in range(5)]
        await turns()
        assert work.started == [0, 1]
        work.go.set()
        assert await asyncio.gather(*tasks) == [0, 1, 2, 3, 4]
        assert work.started == [0, 1, 2, 3, 4]

    run(main())


def test_too_many_are_refused_at_once() -> None:
    async def main() -> None:
        work = Work(Queue(running=1, max_waiting=2))
        tasks = [asyncio.ensure_future(work(k)) for k in range(3)]
        await turns()
        with pytest.raises(Overloaded):
            await work(3)
        work.go.set()
        assert await asyncio.gather(*tasks) == [0, 1, 2]
        assert await work(4) == 4

    run(main())


def test_who_is_gone_gives_up_the_place() -> None:
    async def main() -> None:
        work = Work(Queue(running=1, max_waiting=2))
        first, second, third = (asyncio.ensure_future(work(k)) for k in range(3))
        await turns()
        second.cancel()
        await turns()
        fourth = asyncio.ensure_future(work(3))
        await turns()
        first.cancel()
        await turns()
        assert work.started == [0, 2]
        work.go.set()
        assert list(await asyncio.gather(third, fourth)) == [2, 3]

    run(main())


def test_an_error_gives_the_place_back() -> None:
    async def main() -> None:
        queue = Queue(running=1, max_waiting=1)
        with pytest.raises(ZeroDivisionError):
            async with queue.place(SMALL):
                raise ZeroDivisionError
        async with queue.place(SMALL):
            pass

    run(main())


def test_of_large_pictures_one_at_a_time_and_small_ones_do_not_wait_for_it() -> None:
    async def main() -> None:
        work = Work(Queue(running=3, max_waiting=2))
        pictures = [LARGE, LARGE, SMALL, LARGE, SMALL]
        tasks = [asyncio.ensure_future(work(*each)) for each in enumerate(pictures)]
        await turns()
        assert work.started == [0, 2, 4]
        with pytest.raises(Overloaded):
            await work(5, LARGE)
        tasks[0].cancel()
        await turns()
        assert work.started == [0, 2, 4, 1]
        work.go.set()
        assert await asyncio.gather(*tasks[1:]) == [1, 2, 3, 4]
        assert work.started == [0, 2, 4, 1, 3]

    run(main())


def test_a_place_is_taken_until_the_thread_has_ended() -> None:
    began, go = threading.Event(), threading.Event()

    def hold() -> None:
        began.set()
        assert go.wait(60)
        raise ZeroDivisionError  # which nobody waits for

    async def main() -> None:
        queue = Queue(running=1, max_waiting=9)
        pool = ThreadPoolExecutor(1)

        async def request() -> None:
            async with queue.place(SMALL):
                await outcome(pool.submit(hold))

        first = asyncio.ensure_future(request())
        await asyncio.to_thread(began.wait, 60)
        first.cancel()
        await turns()
        work = Work(queue)
        work.go.set()
        second = asyncio.ensure_future(work(1))
        await turns()
        assert work.started == []
        go.set()
        assert await second == 1
        assert first.cancelled()

    run(main())


def test_what_a_thread_has_not_begun_is_not_waited_for() -> None:
    go = threading.Event()

    async def main() -> None:
        pool = ThreadPoolExecutor(1)
        busy = pool.submit(go.wait, 60)
        waiting = asyncio.ensure_future(outcome(pool.submit(lambda: None)))
        await turns()
        waiting.cancel()
        await asyncio.wait([waiting])
        assert not busy.done()
        go.set()

    run(main())
