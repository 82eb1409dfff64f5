"""The colours of classes and of single things."""

import colorsys
from collections.abc import Callable
from typing import Literal


def voc_colour(class_id: int) -> tuple[int, int, int]:
    """The RGB colour of a class in PASCAL VOC's masks.

    The development kit's rule: bits 0, 3 and 6 of the id are the three highest
    bits of red, bits 1, 4, 7 of green, bits 2 and 5 of blue, lowest first.
    """
    red, green, blue = (
        sum((class_id >> (3 * i + channel) & 1) << (7 - i) for i in range(8))
        for channel in range(3)
    )
    return red, green, blue


def hub_colour(class_id: int) -> tuple[int, int, int]:
    """The RGB colour of a class in the example of PyTorch Hub's DeepLabV3 page."""
    return (
        class_id * (2**25 - 1) % 255,
        class_id * (2**15 - 1) % 255,
        class_id * (2**21 - 1) % 255,
    )


PaletteName = Literal["voc", "hub"]
Palette = Callable[[int], tuple[int, int, int]]
PALETTES: dict[PaletteName, Palette] = {"voc": voc_colour, "hub": hub_colour}
DEFAULT_PALETTE: PaletteName = "voc"


def instance_colour(number: int) -> tuple[int, int, int]:
    """A bright RGB colour for a class or a track; consecutive numbers are far apart in hue.

    Steps of the golden ratio around the circle of hues; palettes for masks have
    colours too dark to be seen as a line over a photo.
    """
    hue = number * (5**0.5 - 1) / 2 % 1
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, 1)
    return round(255 * red), round(255 * green), round(255 * blue)
