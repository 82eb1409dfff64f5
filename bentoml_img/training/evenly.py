"""An evenly spaced subset of a sequence."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """At most `most` of the items, evenly spaced from the first on.

    Data sets may be sorted by class: the first items alone may all be of the same one.
    """
    n = min(len(items), most)
    return [items[i * len(items) // n] for i in range(n)]
