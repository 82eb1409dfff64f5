"""What a video is here: frames with their times, and what is known of them."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from bentoml_img.images import MEGAPIXEL

MAX_PIXELS = 36 * MEGAPIXEL  # 8K is 33 megapixels; a pipeline holds a dozen frames
MAX_SIDE = 16_384  # of what x264 encodes
MAX_RATE = 10_000.0  # frames a second: nearer in time, the clock of an MP4 may not tell them apart
FOLDER_RATE = 25.0  # frames a second, as pictures in a folder have no times


class VideoError(ValueError):
    """A video that cannot be used; the message is for the user."""


class UnsupportedVideo(VideoError):
    """No video, or in a format that is not read here."""


class DamagedVideo(VideoError):
    """Raised after the last frame that could be decoded: says how far that was."""


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before it is decoded.

    `width` and `height` are those of its frames once upright. `frames` and
    `duration` (seconds) are what the file says, None if it says nothing; `rate`
    is the number of frames a second, on average where it changes. `audio` names
    the codec of each audio stream. `plays` is how many times an animation is
    played, 0 if without end.
    """

    path: Path
    width: int
    height: int
    rate: float
    frames: int | None = None
    duration: float | None = None
    audio: tuple[str, ...] = ()
    plays: int = 0


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame: its number from 0, when it appears and for how long (seconds), an RGB picture."""

    index: int
    time: float
    duration: float
    image: Image.Image


def check_size(path: Path, width: int, height: int) -> None:
    """VideoError if frames of that size are too large to be encoded, or to be held by the dozen."""
    if max(width, height) > MAX_SIDE:
        raise VideoError(
            f"{path.name} has frames of {width}×{height} pixels, more than {MAX_SIDE} on a side"
        )
    if width * height > MAX_PIXELS:
        raise VideoError(
            f"{path.name} has frames of {width}×{height} pixels, more than the "
            f"{MAX_PIXELS / MEGAPIXEL:g} megapixels allowed"
        )
