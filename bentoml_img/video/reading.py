"""Video files, animations and folders of pictures as one kind of thing: frames with their times.

Frames come one at a time, upright, in RGB, with square pixels, all of one size.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from bentoml_img.file_kinds import ANIMATED, PHOTOS, READ
from bentoml_img.images import SIGNATURE, format_of
from bentoml_img.input_files import inputs_of
from bentoml_img.structure.limits import excess_of_animation
from bentoml_img.system.mapping import mapped
from bentoml_img.video.animations import Animation, Folder
from bentoml_img.video.containers import Container
from bentoml_img.video.frames import FOLDER_RATE, DamagedVideo, Frame, VideoError
from bentoml_img.video.source import Source

LONGEST_FRAME = 6 * 3600.0  # seconds; an MP4 with a clock of 90 kHz cannot say more than 6.6 hours
PICTURES = PHOTOS - {".gif"}  # which has frames of its own


class Video:
    """An opened video. Iterate over it once for its frames; close it, or use it with `with`.

    `warnings` tell what may surprise people, as far as it is known by now.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.info = source.info
        self.warnings = source.warnings

    def __iter__(self) -> Iterator[Frame]:
        """The frames; DamagedVideo after the last one that is there if the file is cut short."""
        source, index = self._source, 0
        waiting: tuple[float, Image.Image] | None = None
        for time, image in source:
            if waiting is not None:
                if time - waiting[0] > LONGEST_FRAME:
                    raise VideoError(
                        f"{self.info.path.name}: frame {index} would be shown for more than "
                        f"{LONGEST_FRAME / 3600:g} hours"
                    )
                yield Frame(index, waiting[0], time - waiting[0], waiting[1])
                index += 1
            waiting = time, image
        if waiting is not None:
            last = min(max(0.0, source.end - waiting[0]), LONGEST_FRAME)
            yield Frame(index, waiting[0], last, waiting[1])
        if source.damage is not None:
            raise DamagedVideo(self._how_far(index + 1))

    def _how_far(self, frames: int) -> str:
        info = self.info
        total = f" of {info.frames}" if info.frames else ""
        seconds = f" of {info.duration:.1f}" if info.duration else ""
        return (
            f"{info.path.name} is damaged: it ends after {frames}{total} frames, "
            f"{self._source.end:.1f}{seconds} seconds ({self._source.damage})"
        )

    def close(self) -> None:
        self._source.close()

    def __enter__(self) -> "Video":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_video(path: Path, rate: float = FOLDER_RATE) -> Video:
    """Open a video file, a GIF, or a folder of pictures in the order of their names.

    Its first frame is decoded at once, so that what is no video is refused here:
    VideoError. `rate` is the frames a second of a folder.
    """
    if os.path.isdir(path):
        folder = path.resolve()
        return Video(Folder(folder, pictures(folder), rate))
    if is_animation(path):
        with mapped(path) as data:
            too_much = excess_of_animation(data)
        if too_much:
            raise VideoError(f"{path.name} is damaged: {too_much}")
        return Video(Animation(path))
    return Video(Container(path))


def is_animation(path: Path) -> bool:
    """Whether a file is read as an animation: a GIF, PNG or WebP, even with a single frame.

    VideoError if it cannot be read.
    """
    return format_of(_head(path)) in ANIMATED


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            head = stream.read(SIGNATURE)
    except FileNotFoundError:
        raise VideoError(f"{path.name} is not there") from None
    except OSError as error:
        raise VideoError(f"{path.name} cannot be read: {error.strerror}") from None
    if not head:
        raise VideoError(f"{path.name} is empty")
    return head


def pictures(folder: Path) -> list[Path]:
    """The pictures of a folder, but for earlier results; frame2 comes before frame10."""
    files = [file for file in inputs_of(folder) if file.suffix.lower() in PICTURES]
    if not files:
        raise VideoError(f"{folder.name} has no pictures ({', '.join(sorted(PICTURES & READ))})")
    return sorted(files, key=lambda file: _natural(file.name))


def _natural(name: str) -> list[tuple[str, int]]:
    return [(text, int(part or 0)) for text, part in re.findall(r"(\D*)(\d*)", name)]
