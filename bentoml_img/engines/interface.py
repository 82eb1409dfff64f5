"""What an engine takes and gives: arrays, whatever computes between."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from bentoml_img.arrays import Float32Array, Int64Array


class Engine(Protocol):
    """A loaded network."""

    def __call__(self, batch: Float32Array) -> Float32Array:
        """Take normalised images (N, 3, H, W), return the network's output for each."""


@dataclass(frozen=True, eq=False)
class RawDetections:
    """A detector's answer: boxes (N, 4) in the image's pixels, labels and scores of shape (N,).

    `mask_scores`, between 0 and 1, are on a grid of n × n cells over each box:
    shape (N, n, n).
    """

    boxes_xyxy: Float32Array
    labels: Int64Array
    scores: Float32Array
    mask_scores: Float32Array


class Logits(NamedTuple):
    """What a detector's networks say of an image with A anchors, and of N boxes in it.

    `objectness` has shape (A,), `classes` (N, classes), `masks` (N, classes, 28, 28).
    """

    objectness: Float32Array
    classes: Float32Array
    masks: Float32Array


class DetectionEngine(Protocol):
    """A loaded detector."""

    def __call__(
        self, image: Float32Array, shape: tuple[int, int], score_threshold: float
    ) -> RawDetections:
        """Take a normalised image (1, 3, H, W), return its instances, highest score first.

        Its first `shape` (height, width) rows and columns are photo, the others are padding.
        Instances are those whose score is `score_threshold` or more, and above 0.05; 100 at most.
        """
