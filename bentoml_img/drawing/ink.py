"""What all that is drawn here has in common: paper, ink and letters."""

from functools import cache

from PIL import ImageFont

PAPER, INK = (255, 255, 255), (32, 32, 32)
MIN_TEXT = 12  # pixels


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, of a size in pixels."""
    return ImageFont.load_default(size)
