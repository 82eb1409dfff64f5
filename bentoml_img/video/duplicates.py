"""Two detections of one thing.

A network leaves out boxes of one class that overlap by half. What it leaves in
may still be one thing twice: as a car and as a truck, or as a person and as the
upper half of that person. Masks tell these from two people side by side.
"""

import numpy as np

from bentoml_img.masks import InstanceMask
from bentoml_img.video.detections import Detections

PART = 0.6  # of the smaller mask lies in the other, of the same class: a part of that thing
SAME = 0.6  # intersection over union of masks of different classes: one thing


def distinct(detections: Detections) -> list[int]:
    """The numbers of the detections less those that are of the same thing as a surer one."""
    boxes = np.asarray(detections.boxes_xyxy)
    kept: list[int] = []
    for k in np.argsort(-np.asarray(detections.scores), kind="stable").tolist():
        near = [
            other
            for other in kept
            if (boxes[k, :2] < boxes[other, 2:]).all() and (boxes[other, :2] < boxes[k, 2:]).all()
        ]
        if not any(_same(detections, k, other) for other in near):
            kept.append(k)
    return sorted(kept)


def _same(detections: Detections, one: int, other: int) -> bool:
    mask, against = detections.masks[one], detections.masks[other]
    areas = np.count_nonzero(mask.pixels), np.count_nonzero(against.pixels)
    shared = _shared(mask, against)
    if detections.labels[one] == detections.labels[other]:
        return bool(shared > PART * min(areas))
    return bool(shared > SAME * (sum(areas) - shared))


def _shared(mask: InstanceMask, other: InstanceMask) -> int:
    """How many pixels are in both."""
    left, top = max(mask.x, other.x), max(mask.y, other.y)
    right = min(m.x + m.pixels.shape[1] for m in (mask, other))
    bottom = min(m.y + m.pixels.shape[0] for m in (mask, other))
    if right <= left or bottom <= top:
        return 0
    views = [m.pixels[top - m.y : bottom - m.y, left - m.x : right - m.x] for m in (mask, other)]
    return int(np.count_nonzero(views[0] & views[1]))
