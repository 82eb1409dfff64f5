import numpy as np
import pytest

from benchmarks.detectors import compare
from bentoml_img.detect import Detections
from bentoml_img.postprocessing.masks import InstanceMask


def found(*boxes: list[int], label: int = 1, score: float = 0.9) -> Detections:
    """Things that fill their boxes."""
    masks = [InstanceMask(x, y, np.ones((v - y, u - x), np.bool_)) for x, y, u, v in boxes]
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), label),
        np.full(len(boxes), score, np.float32),
        tuple(masks),
        (40, 30),
        ("background", "car", "bus"),
    )


def test_the_largest_difference_counts() -> None:
    theirs = found([0, 0, 10, 10], [20, 10, 30, 20])
    ours = found([20, 10, 31, 20], [0, 0, 10, 10], score=0.8)
    agreement = compare([ours], [theirs])
    assert (agreement.instances, agreement.found, agreement.box_px) == (2, 2, 1.0)
    assert agreement.score == pytest.approx(0.1)
    assert agreement.mask_iou == pytest.approx(10 / 11, abs=1e-5)


def test_another_place_or_class_is_another_thing() -> None:
    theirs = found([0, 0, 10, 10])
    for ours in (found([3, 0, 13, 10]), found([0, 0, 10, 10], label=2), found()):
        agreement = compare([ours], [theirs])
        assert (agreement.instances, agreement.found) == (1, 0)
