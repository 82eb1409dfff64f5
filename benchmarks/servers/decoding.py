"""What the servers compared with ours do to a photo before they classify it."""

import io

from PIL import Image


def decode(photo: bytes) -> Image.Image:
    """RGB pixels, by the fast way that ours takes too, and without its checks and limits."""
    image = Image.open(io.BytesIO(photo))
    image.draft("RGB", (64, 64))
    return image.convert("RGB")
