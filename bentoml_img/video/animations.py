"""GIF, WebP and PNG animations, and pictures in a folder, through Pillow."""

from collections.abc import Iterator, Sequence
from mmap import mmap
from pathlib import Path

from PIL import Image

from bentoml_img.file_errors import reason
from bentoml_img.file_kinds import ANIMATED
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
from bentoml_img.structure import gif, png, webp
from bentoml_img.system.mapping import mapped
from bentoml_img.transparency import scale_transparency
from bentoml_img.video.delays import mean_shown, seconds_shown
from bentoml_img.video.frames import MAX_PIXELS, MAX_RATE, VideoError, VideoInfo, check_size
from bentoml_img.video.source import Source


class Animation(Source):
    """The frames of an animation with their delays."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._image = self._open()
        # A PNG may begin with a picture for programs that cannot show its frames.
        self._first = int(getattr(self._image, "default_image", False))
        try:
            check_size(path, *self._image.size)
            mean = self._mean_shown()
            self._image.seek(self._first)
            self._image.load()
            width, height = upright_size(self._image)
        except VideoError:
            self.close()
            raise
        except DECODER_ERRORS as error:
            self.close()
            raise VideoError(f"{path.name} has no frame that can be decoded: {error}") from None
        rate = 1 / (mean or _shown(self._image))
        plays = _plays(self._image)
        self.info = VideoInfo(path, width, height, rate, self._count(), plays=plays)

    def _open(self) -> Image.Image:
        try:
            return scale_transparency(Image.open(self._path, formats=ANIMATED))
        except DECODER_ERRORS:
            raise VideoError(f"{self._path.name} is damaged: it has no readable header") from None

    def _mean_shown(self) -> float | None:
        """For how many seconds a frame is shown on average, without decoding one.

        None if no frame says it. VideoError if a frame of a GIF reaches beyond the picture.
        """
        try:
            with mapped(self._path) as data:
                return mean_shown(self._delays(data))
        except ValueError as error:
            raise VideoError(f"{self._path.name} is damaged: {error}") from None

    def _delays(self, data: mmap) -> Iterator[float]:
        """The delays of all frames, in milliseconds; ValueError says what is wrong with a file."""
        if self._image.format == "GIF":
            return map(self._delay_within, gif.frames(data))
        return png.delays(data) if self._image.format == "PNG" else webp.delays(data)

    def _delay_within(self, frame: gif.Frame) -> float:
        width, height = self._image.size
        if frame.right > width or frame.bottom > height:
            raise ValueError(
                f"it has {width}×{height} pixels, "
                f"and a frame that reaches to {frame.right}×{frame.bottom}"
            )
        return frame.delay

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
            start, self.end = self.end, self.end + _shown(self._image)
            yield start, flatten(turn_upright(self._image.copy()))
            index += 1

    def close(self) -> None:
        self._image.close()


class Folder(Source):
    """Pictures, all of the same size, at an even rate."""

    def __init__(self, path: Path, files: Sequence[Path], rate: float) -> None:
        if not 0 < rate <= MAX_RATE:
            raise VideoError(
                f"a rate of {rate:g} frames a second: it must be more than 0, "
                f"and {MAX_RATE:g} at most"
            )
        super().__init__()
        self._files = files
        width, height = _load(files[0]).size
        check_size(files[0], width, height)
        duration = len(files) / rate
        self.info = VideoInfo(path, width, height, rate, len(files), duration)
        for file in files[1:]:
            self._check_size(file)

    def _check_size(self, file: Path) -> None:
        """Refuse another size before any work is done.

        A file whose header cannot be read is passed over: it ends the video when its turn comes.
        """
        try:
            with Image.open(file, formats=FORMATS) as image:
                # To look for EXIF data behind the pixels would decode these.
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


def _plays(image: Image.Image) -> int:
    """How many times an animation is played, 0 if without end."""
    loop = image.info.get("loop")
    if image.format == "GIF":  # it says how many times to repeat that
        return 1 if loop is None else loop and loop + 1
    return loop if isinstance(loop, int) else 0  # a text in a PNG may have the same name


def _shown(image: Image.Image) -> float:
    """For how many seconds the frame at hand is shown."""
    try:
        milliseconds = float(image.info.get("duration", 0))
    except ValueError:  # a text in a PNG may have the same name
        milliseconds = 0
    return seconds_shown(milliseconds)
