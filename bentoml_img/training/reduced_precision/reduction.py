"""Adds a reduced precision and its measured scores to a bundle."""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PIL import Image

from bentoml_img.bundle import Bundle, BundleError
from bentoml_img.cli.console import console
from bentoml_img.exporting.quantize import quantize
from bentoml_img.system.atomic import replacing_folder
from bentoml_img.training.reduced_precision.comparison import compare
from bentoml_img.training.reduced_precision.tasks import TASKS, AnyPredictor, Task
from bentoml_img.training.show_figures import watched

BOUNDED = ("accuracy", "miou", "mask_ap", "box_ap")  # the metrics that the bounds of tasks apply to


def reduce(
    folder: Path, precision: str, photos: Sequence[Image.Image], data: Path
) -> dict[str, float]:
    """Add a precision and its measured scores to a bundle; returns these scores.

    BundleError if accuracy falls by more than the task's bound, or if too few labels stay
    equal; ModuleNotFoundError for int8 without the package nncf. The bundle then stays as it
    was.
    """
    bundle = Bundle.open(folder).verify()
    task = TASKS[bundle.manifest.task]
    with replacing_folder(folder) as part:
        shutil.copytree(folder, part, dirs_exist_ok=True)
        if precision == "int8":
            _add_int8(task, Bundle(part, bundle.manifest), photos[::2])
        reference, reduced = (
            task.predictor.from_bundle(part, "openvino", precision=name)
            for name in ("fp32", precision)
        )
        scores = compare(task, reference, reduced, photos[1::2], precision)
        before, after = (measure(task, it, data) for it in (reference, reduced))
        scores |= _loss(before, after, task.max_loss, precision)
        Bundle.open(part).add_scores(scores)
    return scores


def _add_int8(task: Task, bundle: Bundle, photos: Sequence[Image.Image]) -> None:
    console.print(f"calibrating on {len(photos)} photos")
    predictor = task.predictor.from_bundle(bundle.folder, "openvino")
    (source, *_), (target, *_) = bundle.manifest.graphs(), bundle.manifest.graphs("int8")
    files = {target, str(Path(target).with_suffix(".bin"))}
    inputs = [task.first_input(predictor, photo) for photo in photos]
    quantize(bundle.folder / source, inputs, bundle.folder / target)
    Bundle.write(bundle.folder, bundle.manifest, files.union(bundle.manifest.files))


def measure(task: Task, predictor: AnyPredictor, data: Path) -> dict[str, float]:
    """The figures that the task's bound applies to, by name."""
    figures = watched(partial(task.evaluate, predictor, data))
    return {figure.name: figure.value for figure in figures if figure.metric in BOUNDED}


def _loss(
    before: dict[str, float], after: dict[str, float], most: float, precision: str
) -> dict[str, float]:
    """The scores of a precision, and the largest loss; BundleError if that is above `most`."""
    for name, value in before.items():
        console.print(f"{name}: {value:.4f} in fp32, {after[name]:.4f} in {precision}")
    loss = round(max(before[name] - after[name] for name in before), 4)
    if loss > most:
        raise BundleError(f"{precision} costs {loss:.2%}, and {most:.2%} is the most")
    return {f"{precision}_{name}": value for name, value in after.items()} | {
        f"{precision}_loss": loss
    }
