"""Masks of instances, each kept within its box.

A mask of the whole picture for each of a hundred instances is gigabytes for a
large photo; nothing here is larger than the boxes.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bentoml_img.arrays import BoolArray, Float32Array, IntpArray
from bentoml_img.interpolation import neighbours

PADDING = 1  # cells of nothing around a network's mask, so that its edge can be interpolated
STRIP_ROWS = 256
SHIFTS = 5 * np.arange(7)  # bit offsets of the groups of 5 bits in a number of up to 34 bits


@dataclass(frozen=True)
class RunLengths:
    """A mask as COCO has it: (height, width) of the picture, and compressed run lengths."""

    size: tuple[int, int]
    counts: str


@dataclass(frozen=True, eq=False)
class InstanceMask:
    """Which pixels are of an instance: bool (height, width), and where in the picture (0, 0) is."""

    x: int
    y: int
    pixels: BoolArray

    @property
    def window(self) -> tuple[slice, slice]:
        """The rows and columns of the picture that `pixels` are."""
        height, width = self.pixels.shape
        return slice(self.y, self.y + height), slice(self.x, self.x + width)

    def to_coco(self, size: tuple[int, int]) -> RunLengths:
        """The mask in a picture of (width, height)."""
        width, height = size
        return RunLengths((height, width), compress(run_lengths(self, width, height)))

    def to_bits(self) -> dict[str, Any]:
        """As JSON has it: eight pixels a byte, in base64."""
        bits = base64.b64encode(np.packbits(self.pixels).tobytes()).decode()
        return {"x": self.x, "y": self.y, "shape": self.pixels.shape, "bits": bits}

    @classmethod
    def from_bits(cls, saved: Mapping[str, Any]) -> "InstanceMask":
        """A mask again, of what `to_bits` gave."""
        height, width = saved["shape"]
        packed = np.frombuffer(base64.b64decode(saved["bits"]), np.uint8)
        pixels = np.unpackbits(packed, count=height * width).reshape(height, width)
        return cls(saved["x"], saved["y"], pixels.astype(np.bool_))


def paste(scores: Float32Array, box: Sequence[float], size: tuple[int, int]) -> InstanceMask:
    """A network's mask for a box, in a picture of (width, height): where its score is over 0.5.

    `scores` has shape (n, n), `box` is x1, y1, x2, y2 in pixels. The rule is that
    of torchvision's `paste_masks_in_image`, with the same arithmetic.
    """
    grid = np.pad(scores, PADDING)
    (left, right), (top, bottom) = _extent(box, len(grid) / len(scores))
    x, before, after, weight = _taps(len(grid), left, right, size[0])
    wide = grid[:, before] * (1 - weight) + grid[:, after] * weight
    y, upper, lower, down = _taps(len(grid), top, bottom, size[1])
    pixels = np.empty((len(upper), wide.shape[1]), np.bool_)
    for start in range(0, len(pixels), STRIP_ROWS):
        strip = slice(start, start + STRIP_ROWS)
        above = wide[upper[strip]] * (1 - down[strip, None])
        below = wide[lower[strip]] * down[strip, None]
        np.greater(above + below, 0.5, out=pixels[strip])
    return InstanceMask(x, y, pixels)


def _extent(box: Sequence[float], scale: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """The first and last pixel of a box that has grown about its middle, in x and in y."""
    x1, y1, x2, y2 = np.asarray(box, np.float32)
    spans = []
    for low, high in ((x1, x2), (y1, y2)):
        half = (high - low) * np.float32(0.5) * np.float32(scale)
        middle = (high + low) * np.float32(0.5)
        spans.append((int(middle - half), int(middle + half)))
    return spans[0], spans[1]


def _taps(
    n: int, first: int, last: int, limit: int
) -> tuple[int, IntpArray, IntpArray, Float32Array]:
    """Where n cells are spread over pixels `first` to `last`, what is within 0 to `limit`.

    The first pixel there is, and for each from there on its two cells and the weight
    of the second.
    """
    start = min(max(first, 0), limit)
    stop = min(max(last + 1, start), limit)
    there = slice(start - first, stop - first)
    before, after, weight = neighbours(n, max(last - first + 1, 1))
    return start, before[there], after[there], weight[there]


def run_lengths(mask: InstanceMask, width: int, height: int) -> list[int]:
    """How long a picture of that size stays off, on, off, … down its columns, from the left."""
    columns = np.zeros((mask.pixels.shape[1], mask.pixels.shape[0] + 2), np.int8)
    columns[:, 1:-1] = mask.pixels.T
    steps = np.diff(columns)
    offset = mask.x * height + mask.y
    starts, ends = (_positions(steps == step, offset, height) for step in (1, -1))
    # What ends at the foot of a column and goes on at the head of the next is one run.
    joined = ends[:-1] == starts[1:]
    starts = np.concatenate([starts[:1], starts[1:][~joined]])
    ends = np.concatenate([ends[:-1][~joined], ends[-1:]])
    changes = np.stack([starts, ends], axis=1).ravel()
    counts: list[int] = np.diff(changes, prepend=0, append=width * height).tolist()
    return counts[:-1] if counts[-1] == 0 and len(counts) > 1 else counts


def _positions(where: BoolArray, offset: int, height: int) -> IntpArray:
    column, row = np.nonzero(where)
    positions: IntpArray = column * height + row + offset
    return positions


def compress(counts: Sequence[int]) -> str:
    """Run lengths as COCO's API writes them.

    From the fourth on each is less the one before the last; then five bits a
    character, the lowest first, as in LEB128: the sixth bit says that more follow.
    """
    values = np.array(counts, np.int64)
    values[3:] -= np.array(counts, np.int64)[1:-2]
    size = np.where(values < 0, ~values, values)
    more = size[:, None] >= np.int64(16) << SHIFTS  # than the bits up to these say
    bits = values[:, None] >> SHIFTS & 31
    written = np.column_stack([np.ones(len(values), np.bool_), more[:, :-1]])
    characters = (48 + (bits | 32 * more))[written]
    return characters.astype(np.uint8).tobytes().decode("ascii")
