"""The photographs to send: real ones, cut to one size and compressed alike."""

import io
from pathlib import Path

from PIL import Image, ImageOps


def load_photos(folder: Path, width: int, height: int) -> list[bytes]:
    """The photos of a folder, each `cut` to the given size."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".jpg", ".jpeg", ".png"))
    return [cut(path, width, height) for path in paths]


def cut(path: Path, width: int, height: int) -> bytes:
    """A photo as a JPEG of quality 85 and the given size, cropped to fit."""
    file = io.BytesIO()
    with Image.open(path) as image:
        ImageOps.fit(image.convert("RGB"), (width, height)).save(file, "JPEG", quality=85)
    return file.getvalue()
