"""Pixels to metres on the ground, without which nothing has a speed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bentoml_img.arrays import Float64Array

Matrix = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Ground:
    """`homography`, 3×3, takes (x, y, 1) in pixels to a point on the ground in metres, times w.

    ValueError if it is not of that shape or cannot be inverted.
    """

    homography: Matrix

    def __post_init__(self) -> None:
        matrix = np.array(self.homography, float)
        if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or not _invertible(matrix):
            raise ValueError("a homography is 3×3 finite numbers, and can be inverted")

    @classmethod
    def of(cls, scale: float | None, homography: Sequence[float] | None) -> "Ground | None":
        """From how many pixels are a metre, or from the homography's numbers; None from neither.

        ValueError if both are given, or if they are of no ground.
        """
        if scale and homography:
            raise ValueError("a scale and a homography: give one of them")
        if scale:
            return cls.from_scale(1 / scale)
        return cls.from_numbers(homography) if homography else None

    @classmethod
    def from_scale(cls, metres: float) -> "Ground":
        """For a camera that looks straight down: a pixel is so many metres, everywhere."""
        return cls(((metres, 0.0, 0.0), (0.0, metres, 0.0), (0.0, 0.0, 1.0)))

    @classmethod
    def from_numbers(cls, numbers: Sequence[float]) -> "Ground":
        """From the homography's nine numbers, row by row; ValueError if these are more or fewer."""
        if len(numbers) != 9:
            raise ValueError(f"the homography has {len(numbers)} numbers: give nine, row by row")
        a, b, c, d, e, f, g, h, i = numbers
        return cls(((a, b, c), (d, e, f), (g, h, i)))

    def distance(self, start: tuple[float, float], end: tuple[float, float]) -> float | None:
        """Metres between two places in pixels; None if the horizon is at or between them."""
        places = np.array([(*start, 1.0), (*end, 1.0)]) @ np.array(self.homography, float).T
        (*a, here), (*b, there) = places.tolist()
        if here * there <= 0:
            return None
        return math.dist([v / here for v in a], [v / there for v in b])


def _invertible(matrix: Float64Array) -> bool:
    """Whatever the units: rows with coordinates of a map are a million times as large as others."""
    largest = np.abs(matrix).max(axis=1, keepdims=True)
    return bool(largest.all()) and int(np.linalg.matrix_rank(matrix / largest)) == len(matrix)
