"""Plots of the classifier's training and evaluation."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bentoml_img.labels import CIFAR10
from bentoml_img.training.classification.calibration import Reliability
from bentoml_img.training.classification.cifar10 import SIDE, Split
from bentoml_img.training.classification.evaluation import Evaluation

COLUMNS = 10  # of the picture of samples


def draw_samples(split: Split) -> Figure:
    """A row of a split's first COLUMNS images for each class, with its label."""
    cell = SIDE + 2
    mosaic = np.full((len(CIFAR10) * cell, COLUMNS * cell, 3), 255, np.uint8)
    for label in range(len(CIFAR10)):
        for column, index in enumerate(np.flatnonzero(split.labels == label)[:COLUMNS]):
            top, left = label * cell, column * cell
            mosaic[top : top + SIDE, left : left + SIDE] = split.images[index]
    figure = Figure(figsize=(COLUMNS + 1.5, len(CIFAR10)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(mosaic)
    axes.set_xticks([])
    axes.set_yticks(np.arange(len(CIFAR10)) * cell + SIDE / 2, CIFAR10)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def draw_curves(history: Sequence[Mapping[str, float]]) -> Figure:
    """Loss and accuracy over steps, from a Trainer's history."""
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    step = [entry["step"] for entry in history]
    left.plot(step, [entry["loss"] for entry in history], marker=".")
    left.set(xlabel="step", ylabel="training loss (mean since the last point)")
    for key, name in (
        ("train_accuracy", "training, augmented (mean since the last point)"),
        ("test_accuracy_2000", "test (2,000 of the images)"),
    ):
        right.plot(step, [100 * entry[key] for entry in history], marker=".", label=name)
    right.set(xlabel="step", ylabel="accuracy, %")
    right.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure


def draw_confusion(evaluation: Evaluation) -> Figure:
    """The confusion matrix, with counts; colours show each true class's errors."""
    confusion, names = evaluation.confusion, evaluation.labels
    errors = confusion.astype(float)
    np.fill_diagonal(errors, 0)
    figure = Figure(figsize=(7, 6.5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(errors, cmap="Oranges", vmax=1.5 * max(errors.max(), 1))
    for (row, column), count in np.ndenumerate(confusion):
        weight = "bold" if row == column else "normal"
        axes.text(column, row, str(count), ha="center", va="center", fontsize=8, weight=weight)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    accuracy = confusion.trace() / evaluation.n
    axes.set(xlabel="predicted", ylabel="true", title=f"{accuracy:.2%} of {evaluation.n} right")
    return figure


def draw_reliability(evaluation: Evaluation) -> Figure:
    """Accuracy against confidence, before and after temperature scaling."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_reliability(left, "before temperature scaling", evaluation.raw)
    _draw_reliability(right, "after, cross-fitted", evaluation.calibrated)
    left.set_ylabel("accuracy")
    return figure


def _draw_reliability(axes: Axes, name: str, reliability: Reliability) -> None:
    bins = len(reliability.count)
    filled = reliability.count > 0
    centres = (np.arange(bins) + 0.5) / bins
    axes.bar(centres[filled], reliability.accuracy[filled], width=0.9 / bins)
    axes.plot([0, 1], [0, 1], color="black", linewidth=1, linestyle="--")
    axes.plot(reliability.confidence[filled], reliability.accuracy[filled], "o", color="tab:orange")
    ece = reliability.expected_calibration_error
    axes.set(xlabel="confidence", title=f"{name}: ECE {ece:.2%}", xlim=(0, 1), ylim=(0, 1))


def open_window(picture: Path) -> subprocess.Popen[bytes] | None:
    """Show a picture in a window, without waiting for it; None if there is no display."""
    if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        return None
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "bentoml_img.training.window", str(picture)],
        stderr=subprocess.DEVNULL,
    )
