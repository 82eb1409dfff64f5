"""What a segmentation run leaves behind: bundles and curves."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch.utils.flop_counter import FlopCounterMode

from bentoml_img import zoo
from bentoml_img.assemble import assemble
from bentoml_img.atomic import beside
from bentoml_img.models.segmenters import LiteSegmenter
from bentoml_img.training.segmentation_trainer import Network


def export(network: Network, trained_on: str, folder: Path) -> list[Path]:
    """A bundle for each head, with the backbone, in half precision: folders named after them."""
    network = copy.deepcopy(network).cpu().eval()
    return [
        _export(name, LiteSegmenter(network.backbone, head), trained_on, folder / name)
        for name, head in network.heads.items()
    ]


def _export(name: str, module: LiteSegmenter, trained_on: str, bundle: Path) -> Path:
    manifest = zoo.find(name).manifest(
        license="Apache-2.0", trained_on=trained_on, scores=_costs(module)
    )
    assemble(module, manifest, bundle, half=True)
    return bundle


def _costs(module: LiteSegmenter) -> dict[str, float]:
    """Parameters, and 10⁹ multiply-adds for a photo of 4:3."""
    height = zoo.LITE.input_size[0]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.zeros(1, 3, height, height * 4 // 3))
    return {
        "parameters": sum(p.numel() for p in module.parameters()),
        "gflops": round(counter.get_total_flops() / 2e9, 2),
    }


def save_curves(
    log: Sequence[Mapping[str, Any]], history: Sequence[Mapping[str, Any]], path: Path
) -> None:
    """A picture: each head's training loss, and its mIoU on each validation set.

    `log` has entries with step and losses, `history` is the Trainer's.
    """
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name in log[0]["figures"] if log else ():
        left.plot([e["step"] for e in log], [e["figures"][name] for e in log], label=name)
    left.set(xlabel="step", ylabel="loss of a batch", yscale="log")
    for key in [key for key in history[0] if key.endswith("_miou")] if history else ():
        values = [entry[key] for entry in history]
        label = key.removesuffix("_miou").replace("_", " ")
        right.plot([e["step"] for e in history], values, marker="o", label=label)
    right.set(xlabel="step", ylabel="mIoU of the averaged weights")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=8)
    with beside(path) as part:
        figure.savefig(part, format="png", dpi=120)
