"""Segments to what is asked for: an MP4 or a GIF, by the name's suffix."""

from collections.abc import Sequence
from pathlib import Path

from bentoml_img.atomic import replacing
from bentoml_img.files import MOVING
from bentoml_img.video.frames import VideoError
from bentoml_img.video.gif import write_gif
from bentoml_img.video.mp4 import write_mp4
from bentoml_img.video.segments import Segment


def check_output(path: Path) -> None:
    """VideoError unless the name ends in .mp4 or .gif."""
    if path.suffix.lower() not in MOVING.values():
        raise VideoError(f"cannot write {path.name}: the result is a .mp4 or a .gif")


def join(segments: Sequence[Segment], output: Path, sound: Path | None = None) -> None:
    """Join segments into `output`, an MP4 or a GIF.

    `sound` is a video whose audio an MP4 gets, up to the end of the pictures:
    copied if an MP4 can hold it, else as AAC.
    """
    check_output(output)
    with replacing(output) as part:
        if output.suffix.lower() == ".gif":
            write_gif(segments, part)
        else:
            write_mp4(segments, part, sound)
