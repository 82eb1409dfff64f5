"""RoIAlign on a feature pyramid, in OpenVINO: features of boxes, from the map that fits each.

As torchvision's MultiScaleRoIAlign, after Lin et al., "Feature Pyramid
Networks" (arXiv 1612.03144), and He et al., "Mask R-CNN" (arXiv 1703.06870).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino as ov
import openvino.opset16 as ops

from bentoml_img.arrays import Float32Array, IntpArray
from bentoml_img.engines.openvino import request
from bentoml_img.engines.rules import Pooling

EPSILON = 1e-6  # torchvision's: boxes that are as large as a level's smallest belong to it


class PooledGraph:
    """A graph that takes features of boxes, given feature maps and boxes instead.

    The features are always computed in single precision.
    """

    def __init__(self, graph: Path, pooling: Pooling, precision: str, threads: int | None) -> None:
        self._pooling = pooling
        self._head = request(graph, precision, threads)
        shape = self._head.get_compiled_model().input().get_partial_shape()
        channels, rows, columns = (shape[axis].get_length() for axis in (1, 2, 3))
        self._align = request(roi_align(channels, (rows, columns), pooling), "fp32", threads)

    def __call__(
        self, maps: Sequence[Float32Array], boxes: Float32Array, height: int
    ) -> list[Float32Array]:
        """The graph's outputs for boxes (N, 4) in pixels of an image that is `height` high.

        `maps` (1, C, h, w) are those of all levels, the finest first.
        """
        maps = maps[: self._pooling.levels]
        strides = [height // level.shape[2] for level in maps]
        belongs = levels(boxes, strides, self._pooling)
        order = np.argsort(belongs, kind="stable")
        split = np.split(boxes[order], np.searchsorted(belongs[order], range(1, len(maps))))
        inside = [part / np.float32(stride) for part, stride in zip(split, strides, strict=True)]
        # A map without boxes is not looked at: one pixel stands for it.
        needed = [
            level if len(part) else level[:, :, :1, :1]
            for level, part in zip(maps, inside, strict=True)
        ]
        aligned = self._align.infer([*needed, *inside], share_inputs=True, share_outputs=True)
        outputs = self._head.infer([aligned[0]], share_inputs=True, share_outputs=True)
        back = np.argsort(order)
        return [outputs[i][back] for i in range(len(outputs))]


def levels(boxes: Float32Array, strides: Sequence[int], pooling: Pooling) -> IntpArray:
    """To which map each box (N, 4) belongs, of maps whose strides are powers of two."""
    sides = np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    with np.errstate(divide="ignore"):
        octaves = np.log2(sides / np.float32(pooling.canonical_side))
    level = np.floor(pooling.canonical_level + octaves + np.float32(EPSILON))
    first = strides[0].bit_length() - 1
    return (level - first).clip(0, len(strides) - 1).astype(np.intp)


def roi_align(channels: int, size: tuple[int, int], pooling: Pooling) -> ov.Model:
    """A graph from the maps of all levels, then for each level the boxes in its cells.

    It gives (N, channels, *size), where the boxes are in the order of the levels.
    """
    maps, boxes, aligned = [], [], []
    for _ in range(pooling.levels):
        level = ops.parameter([1, channels, -1, -1], np.float32)
        inside = ops.parameter([-1, 4], np.float32)
        count = ops.gather(ops.shape_of(inside), ops.constant([0]), ops.constant(0))
        images = ops.broadcast(ops.constant(0, np.int32), count)
        pixels = _channels_last(level, channels)
        aligned.append(
            ops.roi_align(pixels, inside, images, *size, pooling.samples, 1.0, "avg", "asymmetric")
        )
        maps.append(level)
        boxes.append(inside)
    return ov.Model([ops.concat(aligned, 0)], [*maps, *boxes])


def _channels_last(level: ov.Node, channels: int) -> ov.Node:
    """The map `level`, through a convolution that changes no value of it.

    It makes OpenVINO lay a pixel's channels side by side. Its RoIAlign, else most of
    what boxes cost, is many times as fast then.
    """
    ones = ops.constant(np.ones((channels, 1, 1, 1, 1), np.float32))
    return ops.group_convolution(level, ones, [1, 1], [0, 0], [0, 0], [1, 1])
