from pathlib import Path

import numpy as np
import openvino as ov
import openvino.opset16 as ops
import pytest
import torch
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.poolers import LevelMapper

from bentoml_img.engines.roi_align import PooledGraph, levels
from bentoml_img.engines.rules import Pooling

POOLING = Pooling(levels=4, samples=2, canonical_side=224, canonical_level=4)
STRIDES = (4, 8, 16, 32, 64)


def boxes_of(sides: np.ndarray, height: int, width: int) -> np.ndarray:
    """Boxes of about these sides, some of them partly outside of an image."""
    random = np.random.default_rng(len(sides))
    middle = random.uniform(0, (width, height), (len(sides), 2))
    half = sides[:, None] * random.uniform(0.4, 0.6, (len(sides), 2))
    return np.concatenate([middle - half, middle + half], axis=1).astype(np.float32)


def test_boxes_belong_to_the_maps_that_torchvision_chooses() -> None:
    exact = np.array([[0, 0, side, side] for side in (1, 111, 112, 223.999, 224, 448, 2000)])
    boxes = np.concatenate([exact, boxes_of(np.geomspace(1, 2000, 300), 600, 900)])
    boxes = boxes.astype(np.float32)
    found = levels(boxes, STRIDES[:4], POOLING)
    expected = LevelMapper(2, 5)([torch.from_numpy(boxes)])
    np.testing.assert_array_equal(found, expected.numpy())
    assert set(found.tolist()) == {0, 1, 2, 3}
    np.testing.assert_array_equal(levels(np.zeros((1, 4), np.float32), STRIDES[:4], POOLING), [0])


@pytest.mark.parametrize("side", [7, 14])
def test_features_are_those_of_torchvision(side: int, tmp_path: Path) -> None:
    entry = ops.parameter([-1, 5, side, side], np.float32)
    ov.save_model(ov.Model([ops.relu(entry)], [entry]), tmp_path / "relu.xml", False)
    graph = PooledGraph(tmp_path / "relu.xml", POOLING, "fp32", None)
    height, width = 256, 320
    random = np.random.default_rng(0)
    maps = [
        random.normal(size=(1, 5, height // stride, width // stride)).astype(np.float32)
        for stride in STRIDES
    ]
    pool = MultiScaleRoIAlign(["0", "1", "2", "3"], side, sampling_ratio=2)
    named = {str(i): torch.from_numpy(level) for i, level in enumerate(maps)}
    for sides in (np.geomspace(2, 900, 60), np.full(3, 300.0), np.full(1, 9.0)):
        boxes = boxes_of(sides, height, width)
        expected = pool(named, [torch.from_numpy(boxes)], [(height, width)]).relu()
        (found,) = graph(maps, boxes, height)
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)
