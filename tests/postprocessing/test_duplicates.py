from collections.abc import Sequence

import numpy as np

from bentoml_img.postprocessing.duplicates import distinct
from bentoml_img.postprocessing.masks import InstanceMask
from tests.video.clips import found

WHOLE = (10, 10, 50, 90)
UPPER_HALF = (12, 10, 48, 50)
BESIDE = (40, 10, 80, 90)


def kept(boxes: Sequence[Sequence[float]], labels: Sequence[int] | None = None) -> list[int]:
    """Of boxes with full masks, highest score first."""
    things = found(boxes, labels)
    return distinct(things.boxes_xyxy, things.labels.tolist(), things.masks)


def test_a_part_of_a_thing_is_no_other_thing() -> None:
    assert kept([WHOLE, UPPER_HALF]) == [0]
    assert kept([UPPER_HALF, WHOLE]) == [0], "the first stays"


def test_what_is_left_out_leaves_nothing_out() -> None:
    assert kept([(0, 0, 20, 20), (7, 0, 27, 20), (14, 0, 34, 20)]) == [0, 2]


def test_neighbours_stay_though_their_boxes_overlap() -> None:
    assert kept([WHOLE, BESIDE]) == [0, 1]
    # Two people in one box, of whom one is seen to the left of the other.
    masks = [np.zeros((80, 40), bool) for _ in range(2)]
    masks[0][:, :22], masks[1][:, 18:] = True, True
    views = [InstanceMask(10, 10, mask) for mask in masks]
    assert distinct(np.array([WHOLE, WHOLE], np.float32), [1, 1], views) == [0, 1]


def test_a_part_is_measured_by_its_pixels_and_not_by_its_box() -> None:
    upper, around = np.zeros((80, 40), bool), np.ones((80, 40), bool)
    upper[:20] = True
    around[:8] = False  # so it has three fifths of the upper part
    views = [InstanceMask(10, 10, mask) for mask in (around, upper)]
    boxes = np.array([WHOLE, WHOLE], np.float32)
    assert distinct(boxes, [1, 1], views) == [0, 1]
    around[7] = True
    assert distinct(boxes, [1, 1], views) == [0]


def test_of_two_classes_only_what_is_all_the_same() -> None:
    almost = (11, 10, 52, 88)
    assert kept([WHOLE, almost], labels=[1, 2]) == [0]
    assert kept([WHOLE, UPPER_HALF], labels=[1, 2]) == [0, 1], "a driver in a car"


def test_what_no_mask_shows_is_left_as_it_is() -> None:
    masks = [InstanceMask(0, 0, np.zeros((0, 0), bool))] * 2
    assert distinct(np.array([WHOLE, WHOLE], np.float32), [1, 1], masks) == [0, 1]
    assert kept([]) == []
