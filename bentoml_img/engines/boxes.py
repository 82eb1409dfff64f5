"""Boxes in NumPy: from anchors and deltas to boxes, and which of them to keep.

The rules are those of torchvision's detectors, with the same arithmetic in
single precision. Boxes are float32 of shape (N, 4): x1, y1, x2, y2 in pixels.
"""

import numpy as np

from bentoml_img.arrays import BoolArray, Float32Array, IntpArray
from bentoml_img.engines.rules import Postprocessing

BLOCK = 256  # boxes that are compared with each other at a time


def anchors(
    index: IntpArray, cell_anchors: Float32Array, width: int, stride: tuple[int, int]
) -> Float32Array:
    """Anchors of a grid that is `width` cells wide and whose cells are `stride` (y, x) pixels.

    Each cell has all of `cell_anchors` (A, 4), which are given about (0, 0);
    they are counted cell by cell, row by row.
    """
    cell, kind = np.divmod(index, len(cell_anchors))
    y, x = np.divmod(cell, width)
    middle = np.stack([x * stride[1], y * stride[0]], axis=1)
    return cell_anchors[kind] + np.concatenate([middle, middle], axis=1).astype(np.float32)


def decode(deltas: Float32Array, boxes: Float32Array, rule: Postprocessing) -> Float32Array:
    """Move and scale `boxes` (N, 4) by what a network says of them.

    `deltas` (N, 4) are in units of the boxes' sides, weighted as `rule` has it.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    middle = boxes[:, :2] + np.float32(0.5) * sides
    scaled = deltas / np.array(rule.delta_weights, np.float32)
    middle = scaled[:, :2] * sides + middle
    growth = np.exp(np.minimum(scaled[:, 2:], np.float32(rule.max_log_growth)))
    half = np.float32(0.5) * (growth * sides)
    return np.concatenate([middle - half, middle + half], axis=1)


def top(scores: Float32Array, n: int) -> IntpArray:
    """The indices of the n highest scores (of all, if there are fewer), the highest first."""
    index = np.arange(len(scores))
    if 0 < n < len(scores):
        index = np.flatnonzero(scores >= np.partition(scores, -n)[-n])
    return index[np.argsort(-scores[index], kind="stable")][:n]


def clip_and_filter(
    boxes: Float32Array,
    scores: Float32Array,
    groups: IntpArray,
    shape: tuple[int, int],
    rule: Postprocessing,
) -> tuple[Float32Array, IntpArray]:
    """Boxes clipped to an image of `shape` (height, width), and which to keep, highest score first.

    Those are left out that are too small, or that non-maximum suppression within
    their group leaves out.
    """
    height, width = shape
    boxes = boxes.clip(0, np.array((width, height, width, height), np.float32))
    sides = boxes[:, 2:] - boxes[:, :2]
    index = np.flatnonzero((sides >= rule.min_size).all(axis=1))
    kept = nms(boxes[index], scores[index], groups[index], rule.iou_threshold, rule.post_nms_top_n)
    return boxes, index[kept]


def nms(
    boxes: Float32Array, scores: Float32Array, groups: IntpArray, iou_threshold: float, top_n: int
) -> IntpArray:
    """Greedy non-maximum suppression within each group: which boxes stay, highest score first.

    A box stays unless its intersection over union with one of a higher score that
    stays is over `iou_threshold`. Nothing is computed for those that come after the
    first `top_n` that stay.
    """
    order = np.argsort(-scores, kind="stable")
    kept = order[:0]
    for start in range(0, len(order), BLOCK):
        block = order[start : start + BLOCK]
        rivals = _overlapping(boxes, groups, kept, block, iou_threshold)
        block = block[~rivals.any(axis=0)]
        rivals = _overlapping(boxes, groups, block, block, iou_threshold)
        gone = np.zeros(len(block), np.bool_)
        stays = []
        for i in range(len(block)):
            if not gone[i]:
                stays.append(i)
                gone |= rivals[i]
        kept = np.concatenate([kept, block[stays]])
        if len(kept) >= top_n:
            break
    return kept[:top_n]


def _overlapping(
    boxes: Float32Array,
    groups: IntpArray,
    rows: IntpArray,
    columns: IntpArray,
    iou_threshold: float,
) -> BoolArray:
    """Which pairs of boxes are of one group and have an intersection over union above that."""
    x1, y1, x2, y2 = boxes[rows].T[:, :, None]
    left, upper, right, lower = boxes[columns].T
    width = np.minimum(x2, right) - np.maximum(x1, left)
    height = np.minimum(y2, lower) - np.maximum(y1, upper)
    common = width.clip(0) * height.clip(0)
    union = (x2 - x1) * (y2 - y1) + (right - left) * (lower - upper) - common
    # A box without an area overlaps with nothing.
    iou = np.divide(common, union, out=np.zeros_like(union), where=union > 0)
    rivals: BoolArray = iou > iou_threshold
    rivals &= groups[rows][:, None] == groups[columns]
    return rivals
