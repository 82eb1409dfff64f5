import threading
from collections.abc import Generator

import pytest

from bentoml_img.video.prefetch import DEPTH, prefetch


def numbers(n: int, made: list[int], closed: list[bool]) -> Generator[int]:
    try:
        for k in range(n):
            made.append(k)
            yield k
    finally:
        closed.append(True)


def test_the_items_in_their_order() -> None:
    closed: list[bool] = []
    assert list(prefetch(prefetch(numbers(100, [], closed)))) == list(range(100))
    assert closed == [True]


def test_stages_work_at_the_same_time() -> None:
    met = threading.Barrier(2, timeout=30)

    def first() -> Generator[int]:
        yield 0
        met.wait()  # while the consumer is at the item before
        yield 1

    for item in prefetch(first()):
        if item == 0:
            met.wait()


def test_no_more_than_a_few_are_made_ahead() -> None:
    made: list[int] = []
    ahead = []
    for item in prefetch(numbers(50, made, [])):
        ahead.append(len(made) - item)
    assert max(ahead) <= DEPTH + 3


def test_an_error_comes_after_the_items_before_it() -> None:
    def failing() -> Generator[int]:
        yield 1
        yield 2
        raise ValueError("the third")

    items = []

    def consume() -> None:
        for item in prefetch(prefetch(failing())):
            items.append(item)

    with pytest.raises(ValueError, match="the third"):
        consume()
    assert items == [1, 2]


@pytest.mark.parametrize("taken", [1, 5])
def test_closing_stops_all_stages(taken: int) -> None:
    made: list[int] = []
    closed: list[bool] = []

    def doubled(items: Generator[int]) -> Generator[int]:
        try:
            for item in items:
                yield 2 * item
        finally:
            items.close()

    before = set(threading.enumerate())
    stage = prefetch(doubled(prefetch(numbers(1000, made, closed))))
    assert [next(stage) for _ in range(taken)] == [2 * k for k in range(taken)]
    stage.close()
    assert closed == [True]
    assert set(threading.enumerate()) <= before
    assert len(made) < taken + 4 * DEPTH
