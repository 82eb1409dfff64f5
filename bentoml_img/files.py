"""Which files are photos and which are videos, what the names of results are, and what is said of
those that cannot be read or written.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from PIL import Image

from bentoml_img.images import DECODER_ERRORS, SIGNATURE, ImageError, format_of
from bentoml_img.structure.limits import excess_of_animation
from bentoml_img.system.atomic import write
from bentoml_img.system.mapping import mapped

PHOTOS = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
    # not read here: so they are refused, and not passed over
    | {".avif", ".heic", ".heif", ".jp2", ".ico"}
)
VIDEOS = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".ogv", ".flv", ".wmv"}
    | {".mpg", ".mpeg", ".vob", ".ts", ".mts", ".m2ts"}
    | {".3gp", ".f4v", ".asf", ".mxf"}
)
MOTION_JPEG = frozenset({".mjpeg", ".mjpg"})  # photos one after the other, without a container
ANIMATED = ("GIF", "WEBP", "PNG")

Kind = Literal["photo", "animation", "video"]

# What the name of a result has behind that of its source. A plot is told by its own ending: one of
# what --output names in a folder of frames would be a frame.
MASK, ANNOTATED = "_seg", "_result"
OVERLAY, COMPARISON = "_overlay.jpg", "_compare.jpg"
PLOT = ".counts.png"  # behind that of a result
MOVING: dict[Kind, str] = {"video": ".mp4", "animation": ".gif"}
RESULTS = (
    MASK + ".png",
    OVERLAY,
    COMPARISON,
    ANNOTATED + ".jpg",
    *(name + suffix for name in (MASK, ANNOTATED) for suffix in MOVING.values()),
    PLOT,
)


class FileError(Exception):
    """A file that is no usable picture or video, or a result that cannot be written; the message
    names it.
    """


def named(source: Path, why: str) -> str:
    """What is wrong with a file, named once, by its path; `why` may begin with its name."""
    rest = why.removeprefix(source.absolute().name)
    return f"{source}{rest}" if rest.startswith((" ", ":")) else f"{source}: {why}"


def reason(error: Exception) -> str:
    """What an error says, without a file's name where it comes from the system.

    Of those of a folder's files that could not be copied, what the last one says.
    """
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
        *_, (_, _, last) = error.args[0]
        return str(last)
    return getattr(error, "strerror", None) or str(error)


@contextmanager
def reading(source: Path, *others: type[Exception]) -> Iterator[None]:
    """FileError in place of what shows that a file is no usable picture, or of `others`."""
    expected: tuple[type[Exception], ...] = (OSError, ImageError, *others)
    try:
        yield
    except expected as error:
        raise FileError(named(source, reason(error))) from error


@contextmanager
def writing(target: Path, *others: type[Exception]) -> Iterator[None]:
    """FileError in place of what keeps a result from being written, or of `others`."""
    expected: tuple[type[Exception], ...] = (OSError, *others)
    try:
        yield
    except expected as error:
        message = f"cannot write {target}: {reason(error)}; --output-dir writes elsewhere"
        raise FileError(message) from error


def write_result(target: Path, content: bytes) -> Path:
    """Write a result, and its folder if there is none; FileError if that cannot be."""
    with writing(target):
        return write(target, content)


def inputs_of(path: Path) -> list[Path]:
    """The file itself, or the photos and videos in a folder, but for earlier results.

    Hidden files are passed over: macOS writes `._photo.jpg`, which is no photo, beside `photo.jpg`.
    A file that cannot be looked at, such as a broken link, is among them: reading it says why.
    FileError if the folder cannot be read.
    """
    if not os.path.isdir(path):
        return [path]
    with reading(path):
        files = sorted(path.iterdir())
    return [
        file
        for file in files
        if file.suffix.lower() in PHOTOS | VIDEOS
        and not file.name.startswith(".")
        and not file.name.endswith(RESULTS)
        and (os.path.isfile(file) or not os.path.exists(file))  # no folder, and no pipe
    ]


def kind_of(source: Path) -> Kind:
    """What a file is: a picture by its content, and anything else by its suffix.

    A folder is a video, and its photos are the frames.
    """
    if os.path.isdir(source) or source.suffix.lower() in MOTION_JPEG:
        return "video"
    return picture_kind(source) or ("photo" if source.suffix.lower() in PHOTOS else "video")


def picture_kind(source: Path) -> Kind | None:
    """What a picture is, by its content; None if the file is none."""
    try:
        with mapped(source) as data:
            kind = format_of(data[:SIGNATURE])
            if kind not in ANIMATED:
                return "photo" if kind else None
            if excess_of_animation(data):
                return "photo"  # and refused as one
        with Image.open(source, formats=ANIMATED) as image:
            return "animation" if getattr(image, "is_animated", False) else "photo"
    except DECODER_ERRORS:
        return None
