"""Exports trained segmenters as bundles."""

import copy
from pathlib import Path

import torch

from bentoml_img import zoo
from bentoml_img.exporting.assemble import assemble
from bentoml_img.models.segmenters import LiteSegmenter
from bentoml_img.training.costs import costs
from bentoml_img.training.segmentation.trainer import Network
from bentoml_img.transforms import LITE


def export(network: Network, trained_on: str, folder: Path) -> list[Path]:
    """Write a bundle in half precision for each head; returns the folders, named like the heads."""
    network = copy.deepcopy(network).cpu().eval()
    return [
        _export(name, LiteSegmenter(network.backbone, head), trained_on, folder / name)
        for name, head in network.heads.items()
    ]


def _export(name: str, module: LiteSegmenter, trained_on: str, bundle: Path) -> Path:
    side = LITE.input_size[0]
    photo = torch.zeros(1, 3, side, side)  # a square, as in torchvision's figures
    manifest = zoo.find(name).manifest(
        license="unknown",
        trained_on=trained_on,
        scores=costs(module, lambda: module(photo)),
    )
    assemble(module, manifest, bundle, half=True)
    return bundle
