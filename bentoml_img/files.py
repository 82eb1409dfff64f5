"""Which files are photos and which are films."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from PIL import Image

from bentoml_img.images import DECODER_ERRORS, FORMATS

PHOTOS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
FILMS = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm"})
ANIMATED = ("GIF", "WEBP", "PNG")

Kind = Literal["photo", "animation", "film"]


class Unreadable(Exception):
    """A file that is no usable picture or film; the message names it."""


def inputs_of(path: Path, results: tuple[str, ...]) -> list[Path]:
    """The file itself, or the photos and films in a folder.

    What ends in one of `results` is there from an earlier run, and left out.
    """
    if not path.is_dir():
        return [path]
    return sorted(
        file
        for file in path.iterdir()
        if file.suffix.lower() in PHOTOS | FILMS and not file.name.endswith(results)
    )


def check_apart(places: Iterable[tuple[Path, Path]]) -> None:
    """ValueError if two sources have one place for their results: pairs of source and place."""
    taken: dict[Path, Path] = {}
    for source, place in places:
        if place in taken:
            raise ValueError(f"{taken[place]} and {source} have one result: do them one by one")
        taken[place] = source


def kind_of(source: Path) -> Kind:
    """What a file is: a picture by its content, and anything else by its suffix."""
    try:
        with Image.open(source, formats=FORMATS) as image:
            moves = image.format in ANIMATED and getattr(image, "is_animated", False)
            return "animation" if moves else "photo"
    except DECODER_ERRORS:
        return "photo" if source.suffix.lower() in PHOTOS else "film"
