"""Pictures of a segmenter's answers: coloured masks, masks over photos, legends."""

from collections.abc import Mapping
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from bentoml_img.drawing.ink import INK, MIN_TEXT, PAPER, font
from bentoml_img.palettes import DEFAULT_PALETTE, PALETTES, PaletteName
from bentoml_img.segment import Segmentation

OPACITY = 0.55
STRIP_ROWS = 256
BACKGROUND = 0  # the id of what is of no class


def colour_mask(segmentation: Segmentation, palette: PaletteName = DEFAULT_PALETTE) -> Image.Image:
    """A palette picture whose pixel values are the class ids."""
    image = Image.fromarray(segmentation.mask)
    image.putpalette(_rgb(palette))
    return image


def overlay(
    photo: Image.Image, segmentation: Segmentation, palette: PaletteName = DEFAULT_PALETTE
) -> Image.Image:
    """An RGB photo with its mask laid over it, and below it a legend."""
    areas = segmentation.areas(palette)
    classes = [area for area in areas if area.id != BACKGROUND]
    panel = legend(
        {f"{area.label} {area.share:.1%}": area.colour for area in classes or areas}, photo.size
    )
    size = max(photo.width, panel.width), photo.height + panel.height
    canvas = Image.new("RGB", size, PAPER)
    canvas.info = dict(photo.info)  # the profile of its colours
    canvas.paste(photo)
    blend(canvas, segmentation, palette)
    canvas.paste(panel, (0, photo.height))
    return canvas


def legend(entries: Mapping[str, tuple[int, int, int]], size: tuple[int, int]) -> Image.Image:
    """Captions, each beside its RGB colour, in lines, to go with a picture of (width, height).

    Its text grows with the picture; it is as wide, or wider if a name demands it.
    """
    text = max(MIN_TEXT, round((size[0] * size[1]) ** 0.5 / 40))
    letters = font(text)
    gap = text // 2
    lengths = [round(letters.getlength(entry)) + 2 * text + 2 * gap for entry in entries]
    width = max(size[0], *(length + gap for length in lengths))
    places = []
    x, y = gap, gap
    for length in lengths:
        if x > gap and x + length > width:
            x, y = gap, y + text + gap
        places.append((x, y))
        x += length
    panel = Image.new("RGB", (width, y + text + 2 * gap), PAPER)
    pen = ImageDraw.Draw(panel)
    for (entry, colour), (x, y) in zip(entries.items(), places, strict=True):
        pen.rectangle((x, y, x + text, y + text), colour, outline=INK)
        pen.text((x + text + gap, y + text // 2), entry, INK, letters, anchor="lm")
    return panel


def blend(
    canvas: Image.Image, segmentation: Segmentation, palette: PaletteName = DEFAULT_PALETTE
) -> None:
    """Lay the mask over an RGB canvas, from its upper left corner, a few rows at a time."""
    colours = _rgb(palette)
    alpha = [round(255 * OPACITY) if k != BACKGROUND else 0 for k in range(256)]
    for y in range(0, len(segmentation.mask), STRIP_ROWS):
        strip = Image.fromarray(segmentation.mask[y : y + STRIP_ROWS])
        opacity = strip.point(alpha)
        strip.putpalette(colours)
        canvas.paste(strip.convert("RGB"), (0, y), opacity)


@cache
def _rgb(palette: PaletteName) -> bytes:
    return np.array([PALETTES[palette](k) for k in range(256)], np.uint8).tobytes()
