"""Some of many, to look at or to measure on."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """All items or, where they are more, `most` of them: the first, and others evenly after it.

    Data sets may be sorted by class: of the first items alone many would be of one.
    """
    n = min(len(items), most)
    return [items[i * len(items) // n] for i in range(n)]
