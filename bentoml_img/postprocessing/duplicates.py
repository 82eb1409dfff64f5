"""Two detections of one thing.

A network leaves out boxes of one class that overlap by half. What it leaves in
may still be one thing twice: as a car and as a truck, or as a person and as the
upper half of that person. Masks tell these from two people side by side.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bentoml_img.postprocessing.masks import InstanceMask

PART = 0.6  # of the smaller mask lies in the other, of the same class: a part of that thing
SAME = 0.6  # intersection over union of masks of different classes: one thing


def distinct(
    boxes_xyxy: npt.NDArray[np.floating[Any]],
    labels: Sequence[int],
    masks: Sequence[InstanceMask],
) -> list[int]:
    """The indices of the instances to keep: duplicates of one before them are dropped.

    The instances come highest score first. `boxes_xyxy` has shape (N, 4), in pixels.
    """
    areas = [int(np.count_nonzero(mask.pixels)) for mask in masks]
    kept: list[int] = []
    for k, (left, top, right, bottom) in enumerate(boxes_xyxy):
        others = boxes_xyxy[kept]
        near = (
            (others[:, 0] < right)
            & (others[:, 1] < bottom)
            & (left < others[:, 2])
            & (top < others[:, 3])
        )
        if not any(
            _same(
                _shared(masks[k], masks[other]), areas[k], areas[other], labels[k] == labels[other]
            )
            for other in np.compress(near, kept).tolist()
        ):
            kept.append(k)
    return kept


def _same(shared: int, area: int, other: int, same_class: bool) -> bool:
    """Whether two masks of so many pixels, of which they share some, show one thing."""
    if same_class:
        return shared > PART * min(area, other)
    return shared > SAME * (area + other - shared)


def _shared(mask: InstanceMask, other: InstanceMask) -> int:
    """How many pixels are in both."""
    left, top = max(mask.x, other.x), max(mask.y, other.y)
    right = min(m.x + m.pixels.shape[1] for m in (mask, other))
    bottom = min(m.y + m.pixels.shape[0] for m in (mask, other))
    if right <= left or bottom <= top:
        return 0
    views = [m.pixels[top - m.y : bottom - m.y, left - m.x : right - m.x] for m in (mask, other)]
    return int(np.count_nonzero(views[0] & views[1]))
