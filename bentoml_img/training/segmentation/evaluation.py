"""How good masks are: mean intersection over union.

One confusion matrix over all photos at the size they are stored in; pixels of
255 are left out, as are classes that the truth does not have. One scale, no
flips.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from bentoml_img.labels import VOC
from bentoml_img.models.efficientnet_lite import OUTPUT_STRIDE
from bentoml_img.segment import network_size
from bentoml_img.training.layouts import Sample
from bentoml_img.training.normalize import normalize
from bentoml_img.training.segmentation.data import Mask
from bentoml_img.transforms import LITE


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


def frequent_classes(shares: npt.NDArray[np.float32]) -> list[int]:
    """Background and the classes that six or more photos have; `shares` has a row for each."""
    present = (shares > 0).sum(axis=0)
    return [k for k in range(len(VOC)) if k == 0 or present[k] >= 6]


@torch.no_grad()
def predict(
    backbone: nn.Module, heads: dict[str, nn.Module], image: Image.Image, side: int
) -> dict[str, Mask]:
    """Each head's mask for a photo, of the photo's size."""
    seen = network_size(image.size, side, OUTPUT_STRIDE)
    resized = image.resize(seen, Image.Resampling.BILINEAR)
    device = next(backbone.parameters()).device
    pixels = torch.from_numpy(np.array(resized)).to(device)
    features = backbone(normalize(pixels[None], LITE))
    masks = {}
    for name, head in heads.items():
        logits = head(features).float()
        logits = functional.interpolate(logits, (image.height, image.width), mode="bilinear")
        masks[name] = logits.argmax(1)[0].to(torch.uint8).cpu().numpy()
    return masks


def evaluate(
    backbone: nn.Module,
    heads: dict[str, nn.Module],
    samples: Sequence[Sample],
    side: int,
    on_photo: Callable[[], None] = lambda: None,
) -> dict[str, Confusion]:
    """Each head's confusion matrix over the samples; the modules must be in eval mode."""
    confusions = {name: Confusion() for name in heads}
    for sample in samples:
        image, mask = sample.load()
        truth = np.asarray(mask)
        for name, predicted in predict(backbone, heads, image, side).items():
            confusions[name].add(truth, predicted)
        on_photo()
    return confusions
