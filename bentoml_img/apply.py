"""Masks for the photos of a folder, without a server."""

import os
from pathlib import Path

from bentoml_img.draw import colour_mask, overlay
from bentoml_img.images import ImageError, encode_jpeg, encode_png, load_rgb, open_image
from bentoml_img.segment import Segmenter

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
MASK, OVERLAY = "_seg.png", "_overlay.jpg"


class Unreadable(Exception):
    """A file that is no usable picture; the message names it."""


def inputs_of(path: Path) -> list[Path]:
    """The file itself, or the pictures in a folder but for results that are there already."""
    if not path.is_dir():
        return [path]
    return sorted(
        file
        for file in path.iterdir()
        if file.suffix.lower() in SUFFIXES and not file.name.endswith((MASK, OVERLAY))
    )


def apply(photo: Path, segmenter: Segmenter, palette: str, folder: Path) -> list[Path]:
    """Write a photo's mask and overlay into `folder`; Unreadable if it is no picture."""
    try:
        data = photo.read_bytes()
        pixels, size = segmenter.prepare(open_image(data))
        answer = segmenter.segmentation(segmenter.scores(pixels), size, palette)
        drawn = encode_jpeg(overlay(load_rgb(open_image(data)), answer))
    except (OSError, ImageError) as error:
        raise Unreadable(f"{photo}: {error}") from error
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _write(folder / (photo.stem + MASK), encode_png(colour_mask(answer))),
        _write(folder / (photo.stem + OVERLAY), drawn),
    ]


def _write(path: Path, content: bytes) -> Path:
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(content)
    os.replace(temporary, path)
    return path
