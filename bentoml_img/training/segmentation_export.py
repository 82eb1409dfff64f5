"""What a segmentation run leaves behind: weights and curves."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from safetensors.torch import save_file

from bentoml_img.models.segmenters import LiteSegmenter
from bentoml_img.training.segmentation_trainer import Network


def save_weights(network: Network, folder: Path) -> list[Path]:
    """A file for each head, with the backbone: safetensors, floats in half precision."""
    files = []
    for name, head in network.heads.items():
        state = {
            key: (value.half() if value.is_floating_point() else value).cpu().contiguous()
            for key, value in LiteSegmenter(network.backbone, head).state_dict().items()
        }
        if bad := [key for key, value in state.items() if not torch.isfinite(value).all()]:
            raise ValueError(f"{name} does not fit into half precision: {', '.join(bad)}")
        path = folder / f"{name}.safetensors"
        temporary = path.with_name(path.name + ".part")
        save_file(state, temporary)
        os.replace(temporary, path)
        files.append(path)
    return files


def save_curves(
    log: Sequence[Mapping[str, Any]], history: Sequence[Mapping[str, Any]], path: Path
) -> None:
    """A picture: each head's training loss, and its mIoU on each validation set.

    `log` has entries with step and losses, `history` is the Trainer's.
    """
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name in log[0]["losses"] if log else ():
        left.plot([e["step"] for e in log], [e["losses"][name] for e in log], label=name)
    left.set(xlabel="step", ylabel="cross-entropy of a batch", yscale="log")
    for key in [key for key in history[0] if key.endswith("_miou")] if history else ():
        values = [entry[key] for entry in history]
        label = key.removesuffix("_miou").replace("_", " ")
        right.plot([e["step"] for e in history], values, marker="o", label=label)
    right.set(xlabel="step", ylabel="mIoU of the averaged weights")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=8)
    temporary = path.with_name(path.name + ".part")
    figure.savefig(temporary, format="png", dpi=120)
    os.replace(temporary, path)
