"""The transparent colour of a PNG.

Pillow brings pixels of 2, 4 and 3 × 16 bits to 8 bits a sample, but not the colour that is
transparent: it would be looked for among other numbers.
"""

from collections.abc import Callable

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

# What Pillow makes of a sample, by its name for the layout of the pixels.
TO_8_BITS: dict[object, Callable[[int], int]] = {
    "L;2": lambda sample: (sample & 0b11) * 85,
    "L;4": lambda sample: (sample & 0b1111) * 17,
    "RGB;16B": lambda sample: sample >> 8,
}


def scale_transparency(image: Image.Image) -> Image.Image:
    """Bring the transparent colour of a picture to 8 bits a sample, as its pixels will be.

    In place, once a picture is opened, and before it is decoded. Of 16 bits, all
    colours with the same upper 8 bits are transparent then.
    """
    if not isinstance(image, PngImageFile) or not image.tile:
        return image
    scale, colour = TO_8_BITS.get(image.tile[0].args), image.info.get("transparency")
    if scale and isinstance(colour, int):
        image.info["transparency"] = scale(colour)
    elif scale and isinstance(colour, tuple):
        image.info["transparency"] = tuple(map(scale, colour))
    return image
