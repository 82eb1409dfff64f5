import numpy as np

from bentoml_img.masks import InstanceMask
from bentoml_img.video.duplicates import distinct
from tests.video.clips import Found, found

WHOLE = (10, 10, 50, 90)
UPPER_HALF = (12, 10, 48, 50)
BESIDE = (40, 10, 80, 90)


def test_a_part_of_a_thing_is_no_other_thing() -> None:
    assert distinct(found([UPPER_HALF, WHOLE], scores=[0.4, 0.9])) == [1]
    assert distinct(found([UPPER_HALF, WHOLE], scores=[0.9, 0.4])) == [0], "the surer one stays"


def test_neighbours_stay_though_their_boxes_overlap() -> None:
    assert distinct(found([WHOLE, BESIDE])) == [0, 1]
    # Two people in one box, of whom one is seen to the left of the other.
    masks = [np.zeros((80, 40), bool) for _ in range(2)]
    masks[0][:, :22], masks[1][:, 18:] = True, True
    pair = found([WHOLE, WHOLE])
    views = tuple(InstanceMask(10, 10, mask) for mask in masks)
    assert distinct(Found(pair.boxes_xyxy, pair.labels, pair.scores, views)) == [0, 1]


def test_of_two_classes_only_what_is_all_the_same() -> None:
    almost = (11, 10, 52, 88)
    assert distinct(found([WHOLE, almost], labels=[1, 2], scores=[0.6, 0.7])) == [1]
    assert distinct(found([WHOLE, UPPER_HALF], labels=[1, 2])) == [0, 1], "a driver in a car"


def test_what_no_mask_shows_is_left_as_it_is() -> None:
    empty = found([WHOLE, WHOLE])
    masks = (InstanceMask(0, 0, np.zeros((0, 0), bool)),) * 2
    assert distinct(Found(empty.boxes_xyxy, empty.labels, empty.scores, masks)) == [0, 1]
    assert distinct(found([])) == []
