"""GIF, WebP and PNG animations, and pictures in a folder, through Pillow."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from bentoml_img.file_errors import reason
from bentoml_img.file_kinds import ANIMATED
from bentoml_img.gif_limits import frames
from bentoml_img.images import (
    DECODER_ERRORS,
    FORMATS,
    ImageError,
    exif_may_follow,
    flatten,
    read_rgb,
    turn_upright,
    upright_size,
)
from bentoml_img.system.mapping import mapped
from bentoml_img.video.delays import mean_shown, seconds_shown
from bentoml_img.video.frames import MAX_PIXELS, MAX_RATE, VideoError, VideoInfo, check_size


class Animation:
    """The frames of an animation with their delays."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.end = 0.0
        self.damage: str | None = None
        self.warnings: list[str] = []
        self._image = self._open()
        # A PNG may have a picture for those who cannot show its frames.
        self._first = int(getattr(self._image, "default_image", False))
        try:
            check_size(path, *self._image.size)
            self._check_frames()
            self._image.seek(self._first)
            self._image.load()
            width, height = upright_size(self._image)
        except VideoError:
            self.close()
            raise
        except DECODER_ERRORS as error:
            self.close()
            raise VideoError(f"{path.name} has no frame that can be decoded: {error}") from None
        self.info = VideoInfo(path, width, height, 1 / self._mean_delay(), self._count())

    def _open(self) -> Image.Image:
        try:
            return Image.open(self._path, formats=ANIMATED)
        except DECODER_ERRORS:
            raise VideoError(f"{self._path.name} is damaged: it has no readable header") from None

    def _check_frames(self) -> None:
        if self._image.format != "GIF":
            return
        width, height = self._image.size
        try:
            with mapped(self._path) as data:
                ends = (end for end in frames(data) if end[0] > width or end[1] > height)
                beyond = next(ends, None)
        except ValueError as error:
            raise VideoError(f"{self._path.name} is damaged: {error}") from None
        if beyond:
            raise VideoError(
                f"{self._path.name} is damaged: it has {width}×{height} pixels, "
                f"and a frame that reaches to {beyond[0]}×{beyond[1]}"
            )

    def _mean_delay(self) -> float:
        with mapped(self._path) as data:
            return mean_shown(data, str(self._image.format)) or _delay(self._image)

    def _count(self) -> int | None:
        """How many frames there are. None if the file ends within one of them."""
        with self._open() as image:
            try:
                frames: int = getattr(image, "n_frames", 1) - self._first
            except DECODER_ERRORS:
                return None
            return frames

    def __iter__(self) -> Iterator[tuple[float, Image.Image]]:
        index = 0
        while True:
            try:
                self._image.seek(self._first + index)
                self._image.load()
            except EOFError as error:
                if self.info.frames is None or index < self.info.frames:
                    self.damage = str(error) or "the file ends early"
                return
            except DECODER_ERRORS as error:
                self.damage = str(error)
                return
            start, self.end = self.end, self.end + _delay(self._image)
            yield start, flatten(turn_upright(self._image.copy()))
            index += 1

    def close(self) -> None:
        self._image.close()


class Folder:
    """Pictures, all of the same size, at an even rate."""

    def __init__(self, path: Path, files: Sequence[Path], rate: float) -> None:
        if not 0 < rate <= MAX_RATE:
            raise VideoError(
                f"a rate of {rate:g} frames a second: it must be more than 0, "
                f"and {MAX_RATE:g} at most"
            )
        self._files = files
        self.end = 0.0
        self.damage: str | None = None
        self.warnings: list[str] = []
        width, height = _load(files[0]).size
        check_size(files[0], width, height)
        duration = len(files) / rate
        self.info = VideoInfo(path, width, height, rate, len(files), duration)
        for file in files[1:]:
            self._check_size(file)

    def _check_size(self, file: Path) -> None:
        """Before the work. What has no readable header ends the video when its turn comes."""
        try:
            with Image.open(file, formats=FORMATS) as image:
                # Or the pixels would be decoded.
                size = image.size if exif_may_follow(image) else upright_size(image)
        except (*DECODER_ERRORS, ImageError):
            return
        self._refuse_other(file, size)

    def _refuse_other(self, file: Path, size: tuple[int, int]) -> None:
        if size != (self.info.width, self.info.height):
            raise VideoError(
                f"{file.name} has {size[0]}×{size[1]} pixels and "
                f"{self._files[0].name} {self.info.width}×{self.info.height}: "
                "make the frames of one size"
            )

    def __iter__(self) -> Iterator[tuple[float, Image.Image]]:
        for index, file in enumerate(self._files):
            try:
                image = _load(file)
                self._refuse_other(file, image.size)
            except VideoError as error:
                self.damage = str(error)
                return
            self.end = (index + 1) / self.info.rate
            yield index / self.info.rate, image

    def close(self) -> None:
        pass


def _load(file: Path) -> Image.Image:
    try:
        return read_rgb(file, max_pixels=MAX_PIXELS)
    except (OSError, ImageError) as error:
        raise VideoError(f"{file.name}: {reason(error)}") from None


def _delay(image: Image.Image) -> float:
    """How long the frame at hand is shown, in seconds."""
    try:
        milliseconds = float(image.info.get("duration", 0))
    except ValueError:  # a text in a PNG may have the same name
        milliseconds = 0
    return seconds_shown(milliseconds)
