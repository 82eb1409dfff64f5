import pytest

from bentoml_img.training.evenly import evenly


@pytest.mark.parametrize(
    ("n", "most", "chosen"),
    [(0, 3, []), (2, 3, [0, 1]), (3, 3, [0, 1, 2]), (4, 3, [0, 1, 2]), (10, 3, [0, 3, 6])],
)
def test_as_many_as_are_wanted_from_all_over(n: int, most: int, chosen: list[int]) -> None:
    assert evenly(range(n), most) == chosen
