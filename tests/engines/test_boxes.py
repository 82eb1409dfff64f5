import numpy as np
import pytest
import torch
from torchvision import ops
from torchvision.models.detection._utils import BoxCoder
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

from bentoml_img.engines.boxes import anchors, clip_and_filter, decode, nms, top
from bentoml_img.engines.rules import Postprocessing

RULE = Postprocessing(
    delta_weights=(10.0, 10.0, 5.0, 5.0),
    max_log_growth=np.log(1000 / 16),
    min_score=0.05,
    min_size=1e-2,
    iou_threshold=0.5,
    post_nms_top_n=100,
)


def random_boxes(n: int, side: float = 100) -> np.ndarray:
    """Of which many overlap."""
    random = np.random.default_rng(n)
    corners = random.uniform(0, side, (n, 2))
    sides = random.uniform(0, side / 2, (n, 2))
    return np.concatenate([corners, corners + sides], axis=1).astype(np.float32)


def test_anchors_are_those_of_torchvision() -> None:
    generator = AnchorGenerator(((8, 13), (20,)), ((0.5, 1.0, 2.0), (1.0,)))
    shapes = [(24, 17), (12, 9)]  # the coarse map's stride does not divide the image
    image = ImageList(torch.zeros(1, 3, 96, 70), [(96, 70)])
    (expected,) = generator(image, [torch.zeros(1, 1, *shape) for shape in shapes])
    found = []
    for (height, width), cells in zip(shapes, generator.cell_anchors, strict=True):
        index = np.arange(height * width * len(cells))
        found.append(anchors(index, cells.numpy(), width, (96 // height, 70 // width)))
    np.testing.assert_array_equal(np.concatenate(found), expected.numpy())


@pytest.mark.parametrize("n", [0, 1, 200])
def test_boxes_are_decoded_as_torchvision_does(n: int) -> None:
    boxes = random_boxes(n)
    deltas = np.random.default_rng(0).normal(scale=10, size=(n, 4)).astype(np.float32)
    coder = BoxCoder(RULE.delta_weights)
    assert coder.bbox_xform_clip == RULE.max_log_growth
    expected = coder.decode_single(torch.from_numpy(deltas), torch.from_numpy(boxes))
    np.testing.assert_allclose(decode(deltas, boxes, RULE), expected.numpy(), rtol=1e-6, atol=1e-3)
    if n > 1:
        assert (deltas[:, 2:] / 5 > RULE.max_log_growth).any()


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
@pytest.mark.parametrize(("n", "groups"), [(0, 1), (1, 1), (300, 1), (900, 3), (1500, 3)])
def test_suppression_is_that_of_torchvision(n: int, groups: int, threshold: float) -> None:
    boxes = random_boxes(n)
    random = np.random.default_rng(1)
    scores = random.integers(0, 500, n).astype(np.float32)  # some are equal
    group = random.integers(0, groups, n)
    expected = ops.batched_nms(*map(torch.from_numpy, (boxes, scores, group)), threshold).numpy()
    expected = expected[np.lexsort((expected, -scores[expected]))]  # equal ones come in any order
    np.testing.assert_array_equal(nms(boxes, scores, group, threshold, n), expected)
    np.testing.assert_array_equal(nms(boxes, scores, group, threshold, 40), expected[:40])
    assert n < 300 or 40 < len(expected) < n


def test_boxes_without_area_suppress_nothing() -> None:
    boxes = np.array([(5, 5, 5, 5), (5, 5, 5, 5), (0, 0, 9, 9)], np.float32)
    kept = nms(boxes, np.ones(3, np.float32), np.zeros(3, np.intp), 0.5, 3)
    np.testing.assert_array_equal(kept, [0, 1, 2])


def test_what_is_too_small_or_outside_is_left_out() -> None:
    boxes = np.array(
        [(-5, -5, 10, 10), (90, 20, 130, 70), (101, 0, 120, 10), (3, 3, 3.009, 9)], np.float32
    )
    scores = np.array((0.1, 0.9, 0.8, 0.7), np.float32)
    clipped, kept = clip_and_filter(boxes, scores, np.zeros(4, np.intp), (60, 100), RULE)
    expected = ops.clip_boxes_to_image(torch.from_numpy(boxes), (60, 100))
    np.testing.assert_array_equal(clipped, expected.numpy())
    np.testing.assert_array_equal(kept, [1, 0])
    assert set(kept) == set(ops.remove_small_boxes(expected, RULE.min_size).tolist())


@pytest.mark.parametrize("n", [1, 7, 50, 90])
def test_the_highest_come_first_and_of_equal_ones_the_first(n: int) -> None:
    scores = np.random.default_rng(0).integers(0, 20, 50).astype(np.float32)
    index = top(scores, n)
    np.testing.assert_array_equal(index, np.argsort(-scores, kind="stable")[:n])
    np.testing.assert_array_equal(
        scores[index], torch.from_numpy(scores).topk(min(n, 50)).values.numpy()
    )
    assert len(top(scores[:0], n)) == 0
