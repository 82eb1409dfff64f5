"""How good masks are, counted apart from the project's own evaluation."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from bentoml_img.arrays import UInt8Array
from bentoml_img.models.efficientnet_lite import OUTPUT_STRIDE
from bentoml_img.segment import network_size
from bentoml_img.training.autocast import autocast
from bentoml_img.training.layouts import Sample
from bentoml_img.training.normalize import normalize
from bentoml_img.training.segmentation.trainer import Network
from bentoml_img.transforms import LITE


def mean_iou(samples: Sequence[Sample], answers: Sequence[UInt8Array]) -> float:
    """Over the classes that the true masks have, in all photos together."""
    truth = np.concatenate([np.asarray(sample.load_mask()).ravel() for sample in samples])
    answer = np.concatenate([mask.ravel() for mask in answers])
    ious = []
    for k in np.unique(truth):
        true, found = truth == k, answer == k
        ious.append((true & found).sum() / (true | found).sum())
    return float(np.mean(ious))


def mean_iou_of(network: Network, head: str, samples: Sequence[Sample], side: int) -> float:
    """What a head of a network reaches that sees photos at `side` pixels."""
    answers = [_predict(network, head, sample.load()[0], side) for sample in samples]
    return mean_iou(samples, answers)


@torch.no_grad()
def _predict(network: Network, head: str, photo: Image.Image, side: int) -> UInt8Array:
    """A photo's mask, all of it by PyTorch."""
    seen = photo.resize(network_size(photo.size, side, OUTPUT_STRIDE), Image.Resampling.BILINEAR)
    with autocast(torch.device("cpu")):
        logits = network(normalize(torch.from_numpy(np.array(seen))[None], LITE))[head].float()
    enlarged = functional.interpolate(logits, (photo.height, photo.width), mode="bilinear")
    mask: UInt8Array = enlarged.argmax(1)[0].to(torch.uint8).numpy()
    return mask
