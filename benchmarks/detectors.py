"""Each detector on OpenVINO beside torchvision's own Mask R-CNN on eager PyTorch.

    python -m benchmarks.detectors --photos 50

From an RGB photo to one with the instances drawn, by the same drawing function;
torchvision's masks are as large as the photo (`benchmarks.eager`). Both leave in
what the network finds twice, and take turns on each photo; in fp32 and in each
other precision whose cost in accuracy is in the model's manifest, if this
processor computes in it. Weights that are not at hand are random, scaled to find
about as many things in a photo as there are (`benchmarks.lively`), on a few
photos. One JSON line a model and precision goes to stdout, medians over the
photos, with the largest differences between both answers; a table to stderr.
Masks are drawn in whole pixels: where a box ends next to the edge of one, the last
digits decide whether its mask is a pixel larger.
"""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.eager import EagerMaskRcnn
from benchmarks.machine import describe
from benchmarks.options import COUNT, model_option
from benchmarks.ratios import median_ratio
from benchmarks.weights import REAL, bundle_to_measure, precisions_of
from bentoml_img import zoo
from bentoml_img.arrays import Float32Array
from bentoml_img.bundle import Bundle
from bentoml_img.detect import Detections, Detector
from bentoml_img.drawing.instances import annotate
from bentoml_img.images import read_rgb
from bentoml_img.paths import ROOT
from bentoml_img.postprocessing.masks import InstanceMask

MODELS = zoo.names_of("detection")
FEW = 5  # photos, for random weights
NEAR = 2.0  # pixels: boxes of one label that are no further apart are of the same thing

Way = Callable[[Sequence[Image.Image]], list[Detections]]


@dataclass(frozen=True)
class Agreement:
    """How many things torchvision finds, how many of them ours does, and their differences.

    The largest of boxes, in pixels, and of scores; the smallest intersection over
    union of masks.
    """

    instances: int
    found: int
    box_px: float
    score: float
    mask_iou: float


def compare(ours: Sequence[Detections], theirs: Sequence[Detections]) -> Agreement:
    """Hold the answers for the same photos against each other."""
    differences = [
        (
            _gap(mine.boxes_xyxy[k], other.boxes_xyxy[n]),
            abs(float(mine.scores[k] - other.scores[n])),
            _iou(mine.masks[k], other.masks[n], mine.size),
        )
        for mine, other in zip(ours, theirs, strict=True)
        for n in range(len(other))
        if (k := _same(mine, other, n)) is not None
    ]
    boxes, scores, ious = np.array(differences or [(0, 0, 1)]).T
    return Agreement(
        sum(map(len, theirs)),
        len(differences),
        float(f"{boxes.max():.2g}"),
        float(f"{scores.max():.2g}"),
        round(float(ious.min()), 5),
    )


def _same(ours: Detections, theirs: Detections, n: int) -> int | None:
    """The index of our instance that is the same as instance `n` of theirs, if there is one."""
    gaps = [
        (_gap(box, theirs.boxes_xyxy[n]), k)
        for k, (box, label) in enumerate(zip(ours.boxes_xyxy, ours.labels, strict=True))
        if label == theirs.labels[n]
    ]
    gap, k = min(gaps, default=(NEAR, 0))
    return k if gap < NEAR else None


def _gap(box: Float32Array, other: Float32Array) -> float:
    return float(np.abs(box - other).max())


def _iou(mask: InstanceMask, other: InstanceMask, size: tuple[int, int]) -> float:
    one, two = np.zeros((2, size[1], size[0]), np.bool_)
    one[mask.window], two[other.window] = mask.pixels, other.pixels
    return float((one & two).sum() / max(1, (one | two).sum()))


def drawn(photo: Image.Image, detector: Way) -> tuple[float, Detections]:
    """Milliseconds from a photo to an annotated one, and what was found."""
    start = time.perf_counter()
    (found,) = detector([photo])
    annotate(photo, found)
    return 1000 * (time.perf_counter() - start), found


def measure(bundle: Path, precision: str, paths: Sequence[Path]) -> dict[str, Any]:
    """The JSON line of a bundle in a precision, but for the weights and the machine."""
    ours = Detector.from_bundle(bundle, "openvino", precision=precision)
    ways: dict[str, Way] = {
        "openvino": partial(ours, duplicates=True),
        "torch": EagerMaskRcnn(bundle),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    answers: dict[str, list[Detections]] = {way: [] for way in ways}
    for detector in ways.values():
        drawn(read_rgb(paths[0]), detector)  # to warm up
    for path in paths:
        photo = read_rgb(path)
        for way, detector in ways.items():
            milliseconds, found = drawn(photo, detector)
            times[way].append(milliseconds)
            answers[way].append(found)
    ratio = median_ratio(times["torch"], times["openvino"])
    return {
        "model": Bundle.open(bundle).manifest.name,
        "precision": precision,
        **{f"{way}_ms": round(statistics.median(values), 1) for way, values in times.items()},
        "ratio": round(ratio, 2),
        "photos": len(paths),
        **asdict(compare(answers["openvino"], answers["torch"])),
    }


@click.command()
@click.option("--photos", "most", type=COUNT, default=50, show_default=True, help="At most.")
@model_option(MODELS)
def main(most: int, models: tuple[str, ...]) -> None:
    """Time each detector on both engines."""
    paths = sorted((ROOT / "images").glob("*.jpg"))[:most]
    machine = describe()
    table = Table(
        *("model", "weights", "in", "OpenVINO, ms", "PyTorch, ms", "ratio"),
        *("found", "box, px", "mask IoU"),
    )
    for name in models:
        with bundle_to_measure(name) as (bundle, weights):
            shown = paths if weights == REAL else paths[:FEW]
            lines = [measure(bundle, precision, shown) for precision in precisions_of(bundle)]
        for line in lines:
            print(json.dumps({"weights": weights, **line, **machine}), flush=True)
            table.add_row(
                name,
                weights,
                line["precision"],
                f"{line['openvino_ms']:.0f}",
                f"{line['torch_ms']:.0f}",
                f"{line['ratio']:.2f}×",
                f"{line['found']} of {line['instances']}",
                f"{line['box_px']}",
                f"{line['mask_iou']}",
            )
    Console(stderr=True).print(table)


if __name__ == "__main__":
    main()
