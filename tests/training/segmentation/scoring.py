"""How good masks are, counted apart from the project's own evaluation."""

from collections.abc import Sequence

import numpy as np
import torch

from bentoml_img.training.autocast import autocast
from bentoml_img.training.layouts import Sample
from bentoml_img.training.segmentation.data import Mask
from bentoml_img.training.segmentation.evaluation import predict
from bentoml_img.training.segmentation.trainer import Network


def mean_iou(samples: Sequence[Sample], answers: Sequence[Mask]) -> float:
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
    heads = {head: network.heads[head]}
    with autocast(torch.device("cpu")):
        answers = [
            predict(network.backbone, heads, sample.load()[0], side)[head] for sample in samples
        ]
    return mean_iou(samples, answers)
