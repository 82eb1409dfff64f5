import pytest

from bentoml_img.training.detection import command as detection
from bentoml_img.training.proportions import proportions
from bentoml_img.training.segmentation import command as segmentation


def test_a_source_of_a_hundred_times_the_photos_is_drawn_ten_times_as_often() -> None:
    small, large = proportions([1, 1], [320, 32_000])
    assert large == pytest.approx(10 * small)
    assert small + large == pytest.approx(1)


def test_weights_are_of_sources_as_large_as_each_other() -> None:
    assert proportions([3, 1], [50, 50]).tolist() == [0.75, 0.25]


@pytest.mark.parametrize(
    ("weights", "photos", "parts"),
    [
        (
            detection.SOURCE_WEIGHTS,
            {"street": 1100, "coco": 320, "voc": 1535},
            [0.49, 0.23, 0.27],
        ),
        (
            segmentation.SOURCE_WEIGHTS,
            {"voc": 2079, "coco": 320, "street": 1100, "pseudo": 2948},
            [0.41, 0.21, 0.14, 0.24],
        ),
    ],
)
def test_the_parts_are_those_that_were_chosen_for_the_data_at_hand(
    weights: dict[str, float], photos: dict[str, int], parts: list[float]
) -> None:
    given = proportions([weights[name] for name in photos], list(photos.values()))
    assert given.tolist() == pytest.approx(parts, abs=0.01)
