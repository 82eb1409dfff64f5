"""Which files are photos, animations and videos."""

import os
from pathlib import Path
from typing import Literal

from PIL import Image

from bentoml_img.images import DECODER_ERRORS, SIGNATURE, format_of
from bentoml_img.structure.limits import excess_of_animation
from bentoml_img.system.mapping import mapped

READ = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".bmp", ".dib"}
    | {".gif", ".tif", ".tiff"}
)
# With those that are not read here, but known, so that they are refused and not passed over.
PHOTOS = READ | {".avif", ".heic", ".heif", ".jp2", ".ico"}
VIDEOS = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".ogv", ".flv", ".wmv"}
    | {".mpg", ".mpeg", ".vob", ".ts", ".mts", ".m2ts"}
    | {".3gp", ".f4v", ".asf", ".mxf"}
)
MOTION_JPEG = frozenset({".mjpeg", ".mjpg"})  # photos one after the other, without a container
ANIMATED = ("GIF", "WEBP", "PNG")

Kind = Literal["photo", "animation", "video"]


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
                return "photo"  # which is refused when it is read
        with Image.open(source, formats=ANIMATED) as image:
            return "animation" if getattr(image, "is_animated", False) else "photo"
    except DECODER_ERRORS:
        return None
