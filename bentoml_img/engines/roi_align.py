"""RoIAlign on a feature pyramid, in OpenVINO: features of boxes, from the map that fits each.

As torchvision's MultiScaleRoIAlign, after Lin et al., "Feature Pyramid
Networks" (arXiv 1612.03144), and He et al., "Mask R-CNN" (arXiv 1703.06870).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino as ov
import openvino.opset16 as ops

from bentoml_img.arrays import Floats, Indices
from bentoml_img.engines.openvino import core, request
from bentoml_img.engines.rules import Pooling

EPSILON = 1e-6  # torchvision's: boxes that are as large as a level's smallest belong to it


class PooledGraph:
    """A graph that takes features of boxes, given feature maps and boxes instead."""

    def __init__(self, graph: Path, pooling: Pooling, threads: int | None, precision: str) -> None:
        self._pooling = pooling
        model = pooled(core().read_model(graph), pooling)
        self._request = request(model, threads, precision)

    def __call__(self, maps: Sequence[Floats], boxes: Floats, height: int) -> list[Floats]:
        """The graph's outputs for boxes (N, 4) in pixels of an image that is `height` high.

        `maps` (1, C, h, w) are those of all levels, the finest first.
        """
        maps = maps[: self._pooling.levels]
        strides = [height // level.shape[2] for level in maps]
        level = levels(boxes, strides, self._pooling)
        order = np.argsort(level, kind="stable")
        split = np.split(boxes[order], np.searchsorted(level[order], range(1, len(maps))))
        inside = [part / np.float32(stride) for part, stride in zip(split, strides, strict=True)]
        outputs = self._request.infer([*maps, *inside], share_inputs=True, share_outputs=True)
        back = np.argsort(order)
        return [outputs[i][back] for i in range(len(outputs))]


def levels(boxes: Floats, strides: Sequence[int], pooling: Pooling) -> Indices:
    """To which map each box (N, 4) belongs, of maps whose strides are powers of two."""
    sides = np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    with np.errstate(divide="ignore"):
        octaves = np.log2(sides / np.float32(pooling.canonical_side))
    level = np.floor(pooling.canonical_level + octaves + np.float32(EPSILON))
    first = strides[0].bit_length() - 1
    return (level - first).clip(0, len(strides) - 1).astype(np.intp)


def pooled(graph: ov.Model, pooling: Pooling) -> ov.Model:
    """A graph that takes (N, C, y, x), behind RoIAlign to y × x cells.

    It takes the maps of all levels, then for each level the boxes in its cells.
    """
    (features,) = graph.get_parameters()
    shape = features.get_partial_shape()
    channels, rows, columns = (shape[axis].get_length() for axis in (1, 2, 3))
    maps, boxes, aligned = [], [], []
    for _ in range(pooling.levels):
        level = ops.parameter([1, channels, -1, -1], np.float32)
        inside = ops.parameter([-1, 4], np.float32)
        count = ops.gather(ops.shape_of(inside), ops.constant([0]), ops.constant(0))
        images = ops.broadcast(ops.constant(0, np.int32), count)
        aligned.append(
            ops.roi_align(
                level, inside, images, rows, columns, pooling.samples, 1.0, "avg", "asymmetric"
            )
        )
        maps.append(level)
        boxes.append(inside)
    features.output(0).replace(ops.concat(aligned, 0).output(0))
    return ov.Model(graph.get_results(), [*maps, *boxes])
