"""How what was measured in turns compares."""

import statistics
from collections.abc import Iterable


def median_ratio(dividends: Iterable[float], divisors: Iterable[float]) -> float:
    """The median of the rounds' own quotients: a round that the machine slows down slows both."""
    return statistics.median(a / b for a, b in zip(dividends, divisors, strict=True))
