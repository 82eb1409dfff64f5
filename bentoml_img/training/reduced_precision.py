"""Make a bundle ready for int8 or bf16, where that costs little accuracy.

    python3 -m bentoml_img.training.reduced_precision artifacts/deeplabv3_lite \\
        --precision int8 --photos images --data DATA

Both are compared with fp32: the labels and the speed on photos, the accuracy on
DATA, the folder that the task's script takes to evaluate. What was measured goes
into the bundle's manifest, and an int8 graph beside the bundle's others; nothing
does if the loss is above the bound.
"""

import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image

from bentoml_img.arrays import Floats
from bentoml_img.atomic import folder_beside
from bentoml_img.bundle import BundleError, Manifest, add_scores, verify, write_manifest
from bentoml_img.classify import Classifier
from bentoml_img.cli.console import console, plain_errors
from bentoml_img.detect import Detector
from bentoml_img.engines import PRECISIONS
from bentoml_img.engines.openvino_maskrcnn import NumpyMaskRcnn
from bentoml_img.engines.parity import parity
from bentoml_img.engines.quantize import quantize
from bentoml_img.engines.resize import prepare
from bentoml_img.files import PHOTOS, FileError, inputs_of, reading
from bentoml_img.images import read_rgb
from bentoml_img.predictor import Predictor
from bentoml_img.segment import Segmenter
from bentoml_img.training.classification import cifar10
from bentoml_img.training.classification import evaluation as classification_evaluation
from bentoml_img.training.errors import DatasetError
from bentoml_img.training.extra import importing_extra

with importing_extra():
    from bentoml_img.training.command import FOLDER
    from bentoml_img.training.detection import evaluation as detection_evaluation
    from bentoml_img.training.segmentation import scores as segmentation_scores

# What may be lost of each figure: points of accuracy, of mIoU, of AP, each a part of 1.
MAX_LOSS = {"classification": 0.001, "segmentation": 0.005, "detection": 0.003}
# The least share of labels that stay the same; a detector finds but some fifty things in photos.
LEAST_EQUAL = {"classification": 0.99, "segmentation": 0.99, "detection": 0.95}
MAX_PHOTOS = 100

AnyPredictor = Predictor[Any, Any]
PREDICTORS: dict[str, type[AnyPredictor]] = {
    predictor.task: predictor for predictor in (Classifier, Segmenter, Detector)
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("bundle", type=FOLDER)
@click.option("--precision", type=click.Choice(PRECISIONS[1:]), default="int8", show_default=True)
@click.option(
    "--photos",
    type=FOLDER,
    required=True,
    help="Half of them are to calibrate int8 with, half to compare labels and speed on.",
)
@click.option("--data", type=FOLDER, required=True, help="What to measure the accuracy on.")
def main(bundle: Path, precision: str, photos: Path, data: Path) -> None:
    """Make BUNDLE ready for int8 or bf16, if that costs little accuracy."""
    with plain_errors("train", DatasetError, FileError):
        click.echo(json.dumps(reduce(bundle, precision, read_photos(photos), data)))


def read_photos(folder: Path) -> list[Image.Image]:
    """Some of the photos in a folder, evenly chosen; DatasetError if there is but one."""
    paths = [path for path in inputs_of(folder) if path.suffix.lower() in PHOTOS]
    if len(paths) < 2:
        raise DatasetError(f"{folder} has {len(paths)} photos: two are the least")
    photos = []
    n = min(len(paths), MAX_PHOTOS)
    for path in (paths[i * len(paths) // n] for i in range(n)):
        with reading(path):
            photos.append(read_rgb(path))
    return photos


def reduce(
    bundle: Path, precision: str, photos: Sequence[Image.Image], data: Path
) -> dict[str, float]:
    """Put what a precision needs, and what it costs, into a bundle; the new scores.

    BundleError if more is lost than MAX_LOSS: then the bundle stays as it was.
    """
    manifest = verify(bundle)
    with folder_beside(bundle) as part:
        shutil.copytree(bundle, part, dirs_exist_ok=True)
        added: list[str] = []
        if precision == "int8":
            added = _add_int8(part, manifest, photos[::2])
        predictor = PREDICTORS[manifest.task]
        reference, reduced = (
            predictor.from_bundle(part, "openvino", precision=name) for name in ("fp32", precision)
        )
        scores = compare(reference, reduced, photos[1::2], precision)
        scores |= _loss(measure(reference, data), measure(reduced, data), manifest.task, precision)
        add_scores(part, scores, added)
    return scores


def _add_int8(bundle: Path, manifest: Manifest, photos: Sequence[Image.Image]) -> list[str]:
    """Make the graph; the names of its files."""
    console.print(f"calibrating on {len(photos)} photos")
    predictor = PREDICTORS[manifest.task].from_bundle(bundle, "openvino")
    target, *_ = manifest.graphs_in("int8")
    files = [target, str(Path(target).with_suffix(".bin"))]
    inputs = [_input(predictor, photo) for photo in photos]
    quantize(bundle / manifest.graphs[0], inputs, bundle / target)
    write_manifest(bundle, manifest, {*manifest.files, *files})
    return files


def _input(predictor: AnyPredictor, photo: Image.Image) -> Floats:
    """What the first of the networks sees of a photo: (1, 3, H, W)."""
    if isinstance(predictor, Classifier | Segmenter):
        return predictor.preprocess(photo)[None]
    return prepare(np.asarray(photo), predictor.manifest)[0]


def compare(
    reference: AnyPredictor, reduced: AnyPredictor, photos: Sequence[Image.Image], precision: str
) -> dict[str, float]:
    """The share of equal labels, the largest difference of a probability, and the speed over fp32.

    Labels are those of photos, of their pixels, or of the boxes that `reference`
    finds in them and of the photos as a whole. BundleError if too many differ.
    """
    times: dict[str, list[float]] = {"fp32": [], precision: []}
    expected, given = [], []
    for photo in photos:
        for name, predictor in (("fp32", reference), (precision, reduced)):
            predictor([photo])  # the first call at a size prepares for it
            start = time.perf_counter()
            predictor([photo])
            times[name].append(1000 * (time.perf_counter() - start))
        logits = _logits(reference, reduced, photo)
        expected.append(logits[0])
        given.append(logits[1])
    scores = parity(np.concatenate(expected), np.concatenate(given), precision)
    medians = {name: round(statistics.median(values), 1) for name, values in times.items()}
    agreement = scores[f"{precision}_label_agreement"]
    console.print(
        f"{agreement:.2%} of the labels are equal; {medians['fp32']} milliseconds a photo "
        f"in fp32, {medians[precision]} in {precision}"
    )
    if agreement < (least := LEAST_EQUAL[reference.manifest.task]):
        raise BundleError(
            f"fp32 and {precision} disagree on {1 - agreement:.1%} of the labels, and "
            f"{1 - least:.0%} is the most"
        )
    if medians[precision] > medians["fp32"]:
        console.print(f"warning: {precision} is slower on this processor")
    return scores | {f"{precision}_speed_over_fp32": round(medians["fp32"] / medians[precision], 2)}


def _logits(reference: AnyPredictor, reduced: AnyPredictor, photo: Image.Image) -> list[Floats]:
    """What both say of a photo, each of shape (N, classes)."""
    pair = reference, reduced
    if isinstance(reference, Detector):
        image, (height, width) = prepare(np.asarray(photo), reference.manifest)
        (found,) = reference([photo])  # of what is less sure, no user sees the label
        all_of_it = np.array([(0, 0, width, height)], np.float32)
        scale = all_of_it[:, 2:] / photo.size
        boxes = np.concatenate([found.boxes_xyxy * np.tile(scale, 2), all_of_it], dtype=np.float32)
        return [_engine(it).logits(image, boxes).classes for it in pair]
    answers = [it.engine(_input(it, photo)) for it in pair]
    return [np.moveaxis(a, 1, -1).reshape(-1, a.shape[1]) for a in answers]


def _engine(predictor: AnyPredictor) -> NumpyMaskRcnn:
    assert isinstance(predictor.engine, NumpyMaskRcnn)
    return predictor.engine


def measure(predictor: AnyPredictor, data: Path) -> dict[str, float]:
    """The figures that MAX_LOSS is of, on the task's val photos, by data set."""
    if isinstance(predictor, Classifier):
        _, test = cifar10.load(data)
        return {"accuracy": next(classification_evaluation.evaluate(predictor, test).scores())[1]}
    if isinstance(predictor, Segmenter):
        with tempfile.TemporaryDirectory() as masks:
            sets = segmentation_scores.validation_sets(data, Path(masks))
            figures = list(segmentation_scores.watched_figures(predictor, sets))
    else:
        assert isinstance(predictor, Detector)
        truths = detection_evaluation.validation_sets(data)
        figures = list(detection_evaluation.watched_figures(predictor, truths))
    return {
        figure.name: figure.value
        for figure in figures
        if figure.metric in ("miou", "mask_ap", "box_ap")
    }


def _loss(
    before: dict[str, float], after: dict[str, float], task: str, precision: str
) -> dict[str, float]:
    """The figures in a precision, and the largest loss; BundleError if it is above the bound."""
    for name, value in before.items():
        console.print(f"{name}: {value:.4f} in fp32, {after[name]:.4f} in {precision}")
    loss = round(max(before[name] - after[name] for name in before), 4)
    if loss > MAX_LOSS[task]:
        raise BundleError(f"{precision} costs {loss:.2%}, and {MAX_LOSS[task]:.2%} is the most")
    return {f"{precision}_{name}": value for name, value in after.items()} | {
        f"{precision}_loss": loss
    }


if __name__ == "__main__":
    main()
