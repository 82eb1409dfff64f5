"""Compares two precisions of a model on photos: their labels and their speed."""

import statistics
import time
from collections.abc import Sequence

import numpy as np
from PIL import Image

from bentoml_img.bundle import BundleError
from bentoml_img.cli.console import console
from bentoml_img.exporting.parity import parity
from bentoml_img.training.reduced_precision.tasks import AnyPredictor, Task


def compare(
    task: Task,
    reference: AnyPredictor,
    reduced: AnyPredictor,
    photos: Sequence[Image.Image],
    precision: str,
) -> dict[str, float]:
    """The share of equal labels, the largest difference of a probability, and the speed-up.

    Labels are those of `Task.logits`: of photos, pixels or boxes. BundleError if too many
    differ.
    """
    pairs = [task.logits(reference, reduced, photo) for photo in photos]
    expected, given = (np.concatenate(logits) for logits in zip(*pairs, strict=True))
    scores = parity(expected, given, precision)
    agreement = scores[f"{precision}_label_agreement"]
    before, after = median_milliseconds(reference, reduced, photos)
    console.print(
        f"{agreement:.2%} of the labels are equal; {before} milliseconds a photo "
        f"in fp32, {after} in {precision}"
    )
    if agreement < task.least_equal:
        raise BundleError(
            f"fp32 and {precision} disagree on {1 - agreement:.1%} of the labels, and "
            f"{1 - task.least_equal:.0%} is the most"
        )
    if after > before:
        console.print(f"warning: {precision} is slower on this processor")
    return scores | {f"{precision}_speed_over_fp32": round(before / after, 2)}


def median_milliseconds(
    one: AnyPredictor, other: AnyPredictor, photos: Sequence[Image.Image]
) -> tuple[float, float]:
    """The median time for a photo of each; they take turns, so that other load slows both."""
    times: tuple[list[float], list[float]] = [], []
    for photo in photos:
        for predictor, measured in zip((one, other), times, strict=True):
            predictor([photo])  # the first call at a size prepares for it
            start = time.perf_counter()
            predictor([photo])
            measured.append(1000 * (time.perf_counter() - start))
    before, after = (round(statistics.median(measured), 1) for measured in times)
    return before, after
