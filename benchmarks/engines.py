"""Each segmenter on OpenVINO beside the same network on eager PyTorch.

    python -m benchmarks.engines --rounds 5

Both take turns on the same preprocessed photos, PyTorch always in fp32, OpenVINO
also in each precision whose cost in accuracy is in the model's manifest, if this
processor computes in it. Weights that are not at hand are random: they cost the
same time, but then the agreement of labels says little. One JSON line a model and
precision goes to stdout; a table to stderr; and docs/speed.png, the milliseconds of
a photo against the model's mIoU.
"""

import json
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from benchmarks.eager import eager_segmenter
from benchmarks.machine import describe
from benchmarks.options import COUNT, model_option
from benchmarks.ratios import median_ratio
from benchmarks.weights import REAL, bundle_to_measure, precisions_of
from bentoml_img import zoo
from bentoml_img.arrays import Float32Array
from bentoml_img.bundle import Manifest
from bentoml_img.drawing.charts import save_chart
from bentoml_img.images import read_rgb
from bentoml_img.paths import ROOT
from bentoml_img.segment import Segmenter

TICKS = (20, 50, 100, 200, 500, 1000, 2000, 5000)  # milliseconds
SHIPPED_COLOUR, OFFICIAL_COLOUR = "tab:orange", "tab:blue"
NEAR = 0.02  # of mIoU: names of points that are no further apart would overlap
MODELS = zoo.names_of("segmentation")


@dataclass(frozen=True)
class Row:
    """Medians in milliseconds of a photo's pass through the network, and what they are for.

    Labels are compared on `photos`, so many passes are `timed`.
    """

    model: str
    precision: str
    weights: str
    openvino_ms: float
    torch_ms: float
    ratio: float
    label_agreement: float
    photos: int
    timed: int
    miou: float | None


def compare(
    name: str, precision: str, bundle: Path, photos: list[Path], rounds: int, weights: str
) -> Row:
    segmenter = Segmenter.from_bundle(bundle, "openvino", precision=precision)
    inputs = [segmenter.preprocess(read_rgb(path)) for path in photos]
    ways: dict[str, Callable[[Float32Array], Float32Array]] = {
        "openvino": segmenter.scores,
        "torch": eager_segmenter(bundle).scores,
    }
    equal = [
        (ways["openvino"](pixels).argmax(0) == ways["torch"](pixels).argmax(0)).mean()
        for pixels in inputs
    ]
    times: dict[str, list[float]] = {way: [] for way in ways}
    for i in range(rounds):
        for way, run in ways.items():
            start = time.perf_counter()
            run(inputs[i % len(inputs)])
            times[way].append(1000 * (time.perf_counter() - start))
    medians = {way: statistics.median(values) for way, values in times.items()}
    ratio = median_ratio(times["torch"], times["openvino"])
    return Row(
        name,
        precision,
        weights,
        round(medians["openvino"], 1),
        round(medians["torch"], 1),
        round(ratio, 2),
        round(float(np.mean(equal)), 6),
        len(photos),
        rounds,
        _miou(segmenter.manifest, precision),
    )


def _miou(manifest: Manifest, precision: str) -> float | None:
    """What is published, or else what was measured, if anything."""
    if published := zoo.find(manifest.name).published:
        return published.scores["coco_voc_miou"]
    return manifest.scores.get("coco_miou" if precision == "fp32" else f"{precision}_coco_miou")


def plot(rows: list[Row], path: Path) -> None:
    """A picture of each model's speed and mIoU; names go inwards, away from near neighbours."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    known = [(row, row.miou) for row in rows if row.miou is not None]
    middle = math.prod(row.openvino_ms for row, _ in known) ** (1 / len(known))
    for row, miou in known:
        official = zoo.find(row.model).published
        axes.scatter(row.openvino_ms, miou, color=OFFICIAL_COLOUR if official else SHIPPED_COLOUR)
        gaps = [other - miou for line, other in known if line.model != row.model]
        above, below = (any(0 <= sign * gap < NEAR for gap in gaps) for sign in (1, -1))
        side = (row.openvino_ms < middle) - (row.openvino_ms >= middle)
        full = row.precision == "fp32"  # the others, to its left, have their precision's name
        axes.annotate(
            row.model if full else row.precision,
            (row.openvino_ms, miou),
            xytext=(6 * side, 6 * (below - above)) if full else (0, 12 * (below - above)),
            textcoords="offset points",
            ha="center" if not full else "left" if side > 0 else "right",
            va="center",
        )
    axes.set(
        xscale="log",
        xticks=TICKS,
        xticklabels=TICKS,
        xlabel="milliseconds a photo through the network (OpenVINO, in fp32 unless named)",
        ylabel="mIoU on COCO val2017 (shipped ones: on 258 photos)",
    )
    axes.minorticks_off()
    axes.margins(0.1)
    axes.grid(alpha=0.3)
    save_chart(figure, path, dpi=110)


@click.command()
@click.option("--rounds", type=COUNT, default=5, show_default=True)
@click.option("--photos", "most", type=COUNT, default=50, show_default=True, help="At most.")
@model_option(MODELS)
def main(rounds: int, most: int, models: tuple[str, ...]) -> None:
    """Time each segmenter on both engines."""
    photos = sorted((ROOT / "images").glob("*.jpg"))[:most]
    table = Table("model", "weights", "in", "OpenVINO, ms", "PyTorch, ms", "ratio", "equal labels")
    rows: list[Row] = []
    for name in models:
        with bundle_to_measure(name) as (bundle, weights):
            shown = photos if weights == REAL else photos[:1]
            for precision in precisions_of(bundle):
                row = compare(name, precision, bundle, shown, rounds, weights)
                rows.append(row)
                print(json.dumps({**asdict(row), **describe()}), flush=True)
                table.add_row(
                    row.model,
                    row.weights,
                    row.precision,
                    f"{row.openvino_ms:.0f}",
                    f"{row.torch_ms:.0f}",
                    f"{row.ratio:.2f}×",
                    f"{row.label_agreement:.3%}",
                )
    Console(stderr=True).print(table)
    if {row.model for row in rows} == set(MODELS):
        plot(rows, ROOT / "docs" / "speed.png")


if __name__ == "__main__":
    main()
