import pytest

from benchmarks.ratios import median_ratio


def test_rounds_are_compared_one_by_one() -> None:
    assert median_ratio([2, 40, 6], [1, 10, 3]) == 2
    with pytest.raises(ValueError, match="shorter"):
        median_ratio([1, 2], [1])
