"""What a video is read from, whatever its kind."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from PIL import Image

from bentoml_img.video.frames import VideoInfo


class Source(ABC):
    """Pictures in their order, with the time in seconds when each appears.

    Once all are read, `end` is the time when the last one is over, and `damage` says
    what was wrong with the file, if anything was. `warnings` tell what is done in
    another way than people may expect; more may come until then.
    """

    info: VideoInfo

    def __init__(self) -> None:
        self.end = 0.0
        self.damage: str | None = None
        self.warnings: list[str] = []

    @abstractmethod
    def __iter__(self) -> Iterator[tuple[float, Image.Image]]: ...

    @abstractmethod
    def close(self) -> None: ...
