"""Several segmenters on one photo, side by side."""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image, ImageDraw

from bentoml_img.drawing.ink import INK, PAPER, font
from bentoml_img.drawing.segmentation import blend, legend
from bentoml_img.images import load_rgb, open_image
from bentoml_img.palettes import DEFAULT_PALETTE, PaletteName
from bentoml_img.segment import ClassArea, Segmentation, Segmenter

WIDTH, TALLEST = 480, 4800  # pixels of a column
GAP = 12
TEXT = 20
ROUNDS = 3


@dataclass(frozen=True)
class Timed:
    """A model's answer, and the milliseconds from the photo's bytes to its mask: a median."""

    segmentation: Segmentation
    milliseconds: float


def timed_masks(photo: bytes, segmenters: Mapping[str, Segmenter]) -> dict[str, Timed]:
    """The answer of each model, by name, all measured in turn after a first call each."""
    answers = {
        name: segmenter.segment_opened(open_image(photo)) for name, segmenter in segmenters.items()
    }
    times: dict[str, list[float]] = {name: [] for name in segmenters}
    for _ in range(ROUNDS):
        for name, segmenter in segmenters.items():
            start = time.perf_counter()
            segmenter.segment_opened(open_image(photo))
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: Timed(answers[name], statistics.median(times[name])) for name in segmenters}


def side_by_side(
    photo: bytes, masks: Mapping[str, Timed], palette: PaletteName = DEFAULT_PALETTE
) -> Image.Image:
    """The photo and each model's mask over it, names and milliseconds below, and one legend."""
    image = load_rgb(open_image(photo))
    scale = min(WIDTH / image.width, TALLEST / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    height = size[1]
    columns = {"input": image.resize(size)}
    classes: dict[int, ClassArea] = {}
    for name, timed in masks.items():
        laid = image.copy()
        blend(laid, timed.segmentation, palette)
        columns[f"{name}  {timed.milliseconds:.0f} ms"] = laid.resize(size)
        classes |= {area.id: area for area in timed.segmentation.areas(palette) if area.id}
    width = len(columns) * (WIDTH + GAP) - GAP
    entries = {classes[k].label: classes[k].colour for k in sorted(classes)}
    panel = legend(entries or {"background": (0, 0, 0)}, (width, height))
    sheet = Image.new("RGB", (max(width, panel.width), height + 2 * TEXT + panel.height), PAPER)
    sheet.info = dict(image.info)  # the profile of its colours
    pen = ImageDraw.Draw(sheet)
    for i, (caption, column) in enumerate(columns.items()):
        x = i * (WIDTH + GAP)
        sheet.paste(column, (x + (WIDTH - size[0]) // 2, 0))
        pen.text((x + WIDTH // 2, height + TEXT), caption, INK, font(TEXT), anchor="mm")
    sheet.paste(panel, (0, height + 2 * TEXT))
    return sheet
