"""From class scores on a coarse grid to a mask of any size, exactly and cheaply.

The scores are enlarged bilinearly, with unaligned corners, and each pixel gets
the class of its highest score: smooth borders, which enlarged labels do not
have. Between four grid points a bilinear score is a mean of theirs. So where
one class is highest at all four, it is highest everywhere between, and nothing
needs to be computed; and a class that another one beats at all four corners is
out of the question. Only cells with a border in them are enlarged, a strip of
pixels at a time.
"""

import numpy as np

from bentoml_img.arrays import BoolArray, Float32Array, IntpArray, UInt8Array
from bentoml_img.interpolation import neighbours

STRIP_PIXELS = 2**16  # so that a strip's arrays stay in a core's own cache


def upsample_labels(scores: Float32Array, height: int, width: int) -> UInt8Array:
    """The class of the highest score at each pixel: (classes, h, w) → (height, width).

    What `torch.nn.functional.interpolate(scores, (height, width),
    mode="bilinear", align_corners=False).argmax()` gives, but for pixels whose
    two highest scores are equal within rounding. Beside the mask and the grid
    it takes a few MB, whatever the size.
    """
    upper, lower, down = neighbours(scores.shape[1], height)
    left, right, across = neighbours(scores.shape[2], width)
    winners = scores.argmax(axis=0).astype(np.uint8)
    mask = np.empty((height, width), np.uint8)
    for start, stop in _runs(upper):
        rows = [upper[start], lower[start]]
        mixed, candidates = _borders(scores[:, rows], winners[rows])
        mask[start:stop] = winners[rows[0], left]
        columns = np.flatnonzero(mixed[left])
        if not len(columns):
            continue
        corners = scores[np.ix_(candidates, rows)]
        weight = across[columns]
        edges = corners[..., left[columns]] * (1 - weight) + corners[..., right[columns]] * weight
        step = max(1, STRIP_PIXELS // len(columns))
        for first in range(start, stop, step):
            last = min(first + step, stop)
            best = _highest(edges[:, 0], edges[:, 1], down[first:last, None])
            mask[first:last, columns] = candidates[best]
    return mask


def _runs(values: IntpArray) -> list[tuple[int, int]]:
    """Start and stop of each run of equal values."""
    borders = np.flatnonzero(np.diff(values)) + 1
    return list(zip([0, *borders.tolist()], [*borders.tolist(), len(values)], strict=True))


def _borders(scores: Float32Array, winners: UInt8Array) -> tuple[BoolArray, UInt8Array]:
    """What may lie between two rows of the grid, given their scores (classes, 2, w).

    Which cells, each between a column and its right neighbour, have several
    classes at their corners; and the classes that may be highest inside of any
    of these.
    """
    right = np.minimum(np.arange(winners.shape[1]) + 1, winners.shape[1] - 1)
    corners = np.concatenate([winners, winners[:, right]])
    mixed: BoolArray = (corners != corners[0]).any(axis=0)
    around = np.concatenate([scores, scores[:, :, right]], axis=1)[:, :, mixed]
    certain = around.min(axis=1).max(axis=0, initial=-np.inf)
    candidates = np.flatnonzero((around.max(axis=1) >= certain).any(axis=1))
    return mixed, candidates.astype(np.uint8)


def _highest(top: Float32Array, bottom: Float32Array, weight: Float32Array) -> UInt8Array:
    """Which of the classes is highest between two lines of scores (classes, w): (rows, w)."""
    upper_weight = 1 - weight
    best = np.full((len(weight), top.shape[1]), -np.inf, np.float32)
    highest = np.zeros(best.shape, np.uint8)
    value, part = np.empty_like(best), np.empty_like(best)
    for k in range(len(top)):
        np.multiply(top[k], upper_weight, out=value)
        np.multiply(bottom[k], weight, out=part)
        np.add(value, part, out=value)
        np.copyto(highest, np.uint8(k), where=value > best)
        np.maximum(best, value, out=best)
    return highest
