"""The confusion matrix of pixels, and the metrics computed from it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bentoml_img.arrays import Float32Array, Float64Array, Int64Array, UInt8Array
from bentoml_img.labels import VOC


def _no_pixels() -> Int64Array:
    return np.zeros((len(VOC), len(VOC)), np.int64)


@dataclass
class Confusion:
    """Pixel counts: a row for each true class, a column for each predicted one."""

    counts: Int64Array = field(default_factory=_no_pixels)

    def add(self, truth: UInt8Array, predicted: UInt8Array) -> None:
        """Count the pixels of a true and a predicted mask of equal shape; 255 is ignored."""
        n = len(self.counts)
        known = truth < n
        pairs = truth[known].astype(np.int64) * n + predicted[known]
        self.counts += np.bincount(pairs, minlength=n * n).reshape(n, n)

    @property
    def iou(self) -> Float64Array:
        """Intersection over union of each class; nan for classes that the truth does not have."""
        hits = self.counts.diagonal()
        true, predicted = self.counts.sum(axis=1), self.counts.sum(axis=0)
        union = np.maximum(true + predicted - hits, 1)
        return np.where(true > 0, hits / union, np.nan)

    def mean_iou(self, classes: Sequence[int] | None = None) -> float:
        """The mean over all classes that the truth has, or over those of `classes`."""
        iou = self.iou if classes is None else self.iou[list(classes)]
        return float(np.nanmean(iou)) if np.isfinite(iou).any() else 0.0

    @property
    def pixel_accuracy(self) -> float:
        """The share of correct pixels."""
        return float(self.counts.trace() / self.counts.sum())


def frequent_classes(shares: Float32Array) -> list[int]:
    """Background and the classes in six or more photos; `shares` has shape (photos, classes)."""
    present = (shares > 0).sum(axis=0)
    return [k for k in range(len(VOC)) if k == 0 or present[k] >= 6]
