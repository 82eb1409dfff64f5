"""The stages of one request to the segmenter, beside the same as commonly written.

    python -m benchmarks.stages --rounds 2

A large photo becomes a mask: decode, resize and normalise, network, upsample and
argmax, PNG. The common way decodes in full, enlarges all scores with
`torch.nn.functional.interpolate`, and writes a default PNG. Both share the network
and take turns on each of the twenty photos that the segmenters are tried on, cut to
4:3 and enlarged to 12 megapixels: the more borders there are between classes, the
longer ours takes. One JSON line a stage goes to stdout, medians in milliseconds; a
table to stderr.
"""

import io
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe
from benchmarks.options import COUNT
from benchmarks.photos import cut
from benchmarks.ratios import median_ratio
from bentoml_img.cli.options import FILE, FOLDER
from bentoml_img.drawing.segmentation import colour_mask
from bentoml_img.images import encode_png, load_rgb, open_image, upright_size
from bentoml_img.paths import SHIPPED
from bentoml_img.segment import Segmentation, Segmenter
from scripts import samples

SIZE = 4000, 3000
STAGES = ("decode", "resize and normalise", "network", "upsample and argmax", "PNG")
AROUND = "all but the network"
PHOTOS = [samples.FOLDER / name for name in samples.scenes()]


class Clock:
    """Milliseconds between its calls."""

    def __init__(self) -> None:
        self.laps: list[float] = []
        self._last = time.perf_counter()

    def lap(self) -> None:
        now = time.perf_counter()
        self.laps.append(1000 * (now - self._last))
        self._last = now


def ours(photo: bytes, segmenter: Segmenter) -> tuple[bytes, list[float]]:
    """The mask's PNG as the service makes it, and the time of each stage."""
    clock = Clock()
    image = open_image(photo)
    size = upright_size(image)
    decoded = load_rgb(image, at_least=segmenter.decode_at_least(size))
    clock.lap()
    pixels = segmenter.preprocess(decoded, size)
    clock.lap()
    scores = segmenter.scores(pixels)
    clock.lap()
    answer = segmenter.segmentation(scores, size)
    clock.lap()
    png = encode_png(colour_mask(answer))
    clock.lap()
    return png, clock.laps


def common(photo: bytes, segmenter: Segmenter) -> tuple[bytes, list[float]]:
    """The mask's PNG as examples make it, with Pillow and PyTorch, and the time of each stage."""
    manifest = segmenter.manifest
    clock = Clock()
    image = Image.open(io.BytesIO(photo)).convert("RGB")
    clock.lap()
    resized = image.resize(segmenter.size_seen(image.size), Image.Resampling.BILINEAR)
    pixels = np.asarray(resized, np.float32).transpose(2, 0, 1) / 255
    mean, std = (np.array(it, np.float32)[:, None, None] for it in (manifest.mean, manifest.std))
    normalised = ((pixels - mean) / std).astype(np.float32)
    clock.lap()
    scores = segmenter.scores(normalised)
    clock.lap()
    size = image.height, image.width
    enlarged = torch.nn.functional.interpolate(
        torch.from_numpy(scores)[None], size, mode="bilinear", align_corners=False
    )
    mask = enlarged[0].argmax(0).to(torch.uint8).numpy()
    clock.lap()
    stream = io.BytesIO()
    colour_mask(Segmentation(mask, manifest.labels)).save(stream, "PNG")
    clock.lap()
    return stream.getvalue(), clock.laps


def agreement(one: bytes, other: bytes) -> float:
    """The share of pixels that two masks have in common."""
    masks = [np.asarray(Image.open(io.BytesIO(png))) for png in (one, other)]
    return float((masks[0] == masks[1]).mean())


@click.command()
@click.option(
    "--rounds", type=COUNT, default=2, show_default=True, help="Passes through the photos."
)
@click.option("--bundle", type=FOLDER, default=SHIPPED / "deeplabv3_lite")
@click.option(
    "--photo", "photos", type=FILE, multiple=True, default=PHOTOS, help="Several can be given."
)
def main(rounds: int, bundle: Path, photos: tuple[Path, ...]) -> None:
    """Time the stages of a request to the segmenter."""
    segmenter = Segmenter.from_bundle(bundle)
    ways: dict[str, Callable[[bytes, Segmenter], tuple[bytes, list[float]]]] = {
        "ours": ours,
        "common": common,
    }
    laps: dict[str, list[list[float]]] = {name: [] for name in ways}
    equal = []
    for path in photos:
        photo = cut(path, *SIZE)
        equal.append(agreement(*(way(photo, segmenter)[0] for way in ways.values())))
        for _ in range(rounds):
            for name, way in ways.items():
                laps[name].append(way(photo, segmenter)[1])
    report({name: _by_stage(times) for name, times in laps.items()}, equal)


def _by_stage(rounds: list[list[float]]) -> dict[str, list[float]]:
    """The times of each stage, and their sum without the network's."""
    stages = dict(zip(STAGES, map(list, zip(*rounds, strict=True)), strict=True))
    around = [sum(times) - times[STAGES.index("network")] for times in rounds]
    return {**stages, AROUND: around}


def report(times: dict[str, dict[str, list[float]]], equal: list[float]) -> None:
    """Print a JSON line for each stage to stdout and the table to stderr."""
    table = Table(
        "stage", "ours, ms", "common, ms", "ratio", title=f"a JPEG of {SIZE[0]}×{SIZE[1]}"
    )
    machine: dict[str, Any] = describe()
    for stage, rounds in times["ours"].items():
        others = times["common"][stage]
        milliseconds, other = statistics.median(rounds), statistics.median(others)
        ratio = median_ratio(others, rounds)
        figures = {"ours_ms": milliseconds, "common_ms": other, "ratio": ratio}
        rounded = {name: round(value, 2) for name, value in figures.items()}
        print(json.dumps({"stage": stage, **rounded, **machine}))
        table.add_row(stage, f"{milliseconds:.1f}", f"{other:.1f}", f"{ratio:.1f}×")
    console = Console(stderr=True)
    console.print(table)
    console.print(
        f"{statistics.mean(equal):.2%} of the pixels have the same class, in one photo "
        f"{min(equal):.2%}"
    )


if __name__ == "__main__":
    main()
