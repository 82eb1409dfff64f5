"""Curves of the segmenters' training."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure


def draw_curves(log: Sequence[Mapping[str, Any]], history: Sequence[Mapping[str, Any]]) -> Figure:
    """The training loss of each head, and its mIoU on each validation set.

    `log` is from `Log.read_figures`, `history` the Trainer's.
    """
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name in log[0]["figures"] if log else ():
        left.plot([e["step"] for e in log], [e["figures"][name] for e in log], label=name)
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
    return figure
