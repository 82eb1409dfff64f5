from dataclasses import asdict

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask
from torchvision.models.detection.roi_heads import paste_masks_in_image

from bentoml_img.postprocessing import masks
from bentoml_img.postprocessing.masks import InstanceMask, RunLengths, compress, paste, run_lengths

WIDTH, HEIGHT = 131, 97


def random_boxes(n: int) -> list[list[float]]:
    """Boxes of all sizes in the picture, some along its borders, some of less than a pixel."""
    random = np.random.default_rng(0)
    ends = random.uniform(0, 1, (n, 2, 2)) ** random.choice([0.3, 1, 3], (n, 1, 1))
    ends.sort(axis=1)
    tiny = random.random(n) < 0.2
    ends[tiny, 1] = np.minimum(ends[tiny, 0] + random.uniform(0, 0.03, (tiny.sum(), 2)), 1)
    ends[random.random(n) < 0.1, 0] = 0
    ends[random.random(n) < 0.1, 1] = 1
    boxes: list[list[float]] = (ends * (WIDTH, HEIGHT)).reshape(n, 4).tolist()
    return boxes


def whole(mask: InstanceMask) -> np.ndarray:
    picture = np.zeros((HEIGHT, WIDTH), np.bool_)
    picture[mask.window] = mask.pixels
    return picture


@pytest.mark.parametrize("rows", [7, masks.STRIP_ROWS])
def test_masks_are_pasted_as_torchvision_does(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masks, "STRIP_ROWS", rows)
    boxes = random_boxes(400)
    coarse = torch.rand(len(boxes), 1, 7, 7, generator=torch.Generator().manual_seed(0))
    scores = torch.nn.functional.interpolate(coarse, (28, 28), mode="bicubic").clamp(0, 1)
    expected = paste_masks_in_image(scores, torch.tensor(boxes), (HEIGHT, WIDTH))[:, 0] > 0.5
    areas = set()
    for box, cells, picture in zip(boxes, scores[:, 0].numpy(), expected.numpy(), strict=True):
        mask = paste(cells, box, (WIDTH, HEIGHT))
        np.testing.assert_array_equal(whole(mask), picture)
        areas.add(int(picture.sum()))
    assert len(areas) > 100


def test_a_mask_is_no_larger_than_its_box() -> None:
    mask = paste(np.ones((28, 28), np.float32), (10, 20, 40, 70), (6000, 4000))
    assert mask.pixels.size < 40 * 60


def test_a_box_beyond_the_picture_has_an_empty_mask() -> None:
    mask = paste(np.ones((28, 28), np.float32), (200, 20, 240, 70), (WIDTH, HEIGHT))
    assert not whole(mask).any()
    assert run_lengths(mask, WIDTH, HEIGHT) == [WIDTH * HEIGHT]


def all_masks() -> list[InstanceMask]:
    random = np.random.default_rng(0)
    found = [
        paste(random.random((28, 28), np.float32), box, (WIDTH, HEIGHT)) for box in random_boxes(60)
    ]
    full = np.ones((HEIGHT, 3), np.bool_)
    return [
        *found,
        InstanceMask(0, 0, full),
        InstanceMask(WIDTH - 3, 0, full),
        InstanceMask(0, 0, np.ones((HEIGHT, WIDTH), np.bool_)),
        InstanceMask(5, 90, np.ones((7, 4), np.bool_)),
        InstanceMask(5, 0, np.eye(HEIGHT, 6, dtype=np.bool_)),
        InstanceMask(5, 5, np.zeros((4, 4), np.bool_)),
    ]


@pytest.mark.parametrize("mask", all_masks())
def test_run_lengths_are_those_of_coco(mask: InstanceMask) -> None:
    picture = whole(mask)
    theirs = coco_mask.encode(np.asfortranarray(picture, np.uint8))
    ours = mask.to_coco((WIDTH, HEIGHT))
    assert ours == RunLengths(tuple(theirs["size"]), theirs["counts"].decode())
    np.testing.assert_array_equal(coco_mask.decode(asdict(ours)), picture)


def test_long_runs_and_differences_are_compressed() -> None:
    counts = [0, 1_000_000, 3, 15, 16, 31, 32, 5, 60_000_000, 1]
    total = sum(counts)
    theirs = coco_mask.frPyObjects({"size": [1, total], "counts": counts}, 1, total)
    assert compress(counts) == theirs["counts"].decode()
