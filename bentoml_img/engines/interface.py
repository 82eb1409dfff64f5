"""What an engine takes and gives: arrays, whatever computes between."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Photo = npt.NDArray[np.uint8]


class Engine(Protocol):
    """A loaded network."""

    def __call__(self, batch: Array) -> Array:
        """Take normalised images (N, 3, H, W), return the network's output for each."""


@dataclass(frozen=True, eq=False)
class Found:
    """A detector's answer: boxes (N, 4) in the photo's pixels, labels and scores of shape (N,).

    `mask_scores`, between 0 and 1, are on a grid of n × n cells over each box:
    shape (N, n, n).
    """

    boxes_xyxy: Array
    labels: npt.NDArray[np.int64]
    scores: Array
    mask_scores: Array


class DetectionEngine(Protocol):
    """A loaded detector."""

    def __call__(self, photo: Photo, score_threshold: float) -> Found:
        """Take an RGB photo (height, width, 3), return its instances, the surest first.

        Those of which it is that sure, but of none that scores under 0.05; 100 at most.
        """
