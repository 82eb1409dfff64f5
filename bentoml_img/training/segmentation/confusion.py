"""Which pixels of a class are taken for which: what intersections over unions are made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bentoml_img.labels import VOC
from bentoml_img.training.segmentation.data import Mask


def _no_pixels() -> npt.NDArray[np.int64]:
    return np.zeros((len(VOC), len(VOC)), np.int64)


@dataclass
class Confusion:
    """Pixel counts: a row for each true class, a column for each predicted one."""

    counts: npt.NDArray[np.int64] = field(default_factory=_no_pixels)

    def add(self, truth: Mask, predicted: Mask) -> None:
        """Count the pixels of a true and a predicted mask of equal shape; 255 is ignored."""
        n = len(self.counts)
        known = truth < n
        pairs = truth[known].astype(np.int64) * n + predicted[known]
        self.counts += np.bincount(pairs, minlength=n * n).reshape(n, n)

    @property
    def iou(self) -> npt.NDArray[np.float64]:
        """Intersection over union of each class, nan where the truth has none of it."""
        hits = self.counts.diagonal()
        true, predicted = self.counts.sum(axis=1), self.counts.sum(axis=0)
        union = np.maximum(true + predicted - hits, 1)
        return np.where(true > 0, hits / union, np.nan)

    def mean_iou(self, classes: Sequence[int] | None = None) -> float:
        """The mean over all classes that are there, or over some of them."""
        iou = self.iou if classes is None else self.iou[list(classes)]
        return float(np.nanmean(iou)) if np.isfinite(iou).any() else 0.0

    @property
    def pixel_accuracy(self) -> float:
        """The share of right pixels."""
        return float(self.counts.trace() / self.counts.sum())


def frequent_classes(shares: npt.NDArray[np.float32]) -> list[int]:
    """Background and the classes that six or more photos have; `shares` has a row for each."""
    present = (shares > 0).sum(axis=0)
    return [k for k in range(len(VOC)) if k == 0 or present[k] >= 6]
