"""A result in the making: closed segments with their records, and where to go on.

They lie in a folder beside the result until it is whole. A segment comes into the
manifest once it is closed, with the state of tracker and counter at its end: a
resumed run does again what came after the last one. A run holds a lock in the
folder, which the system releases when the process dies.
"""

import errno
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import Image

from bentoml_img.system import atomic
from bentoml_img.system.locks import try_exclusive
from bentoml_img.video.counting import Event
from bentoml_img.video.frames import Frame, VideoError, VideoInfo
from bentoml_img.video.records import events_csv, frame_record
from bentoml_img.video.segments import Segment, SegmentWriter
from bentoml_img.video.tracking import TrackedInstance

LOCK = "lock"
FORMAT = 5  # of the manifest and of what it holds of tracker and counter


class CannotResume(VideoError):
    """What is there was made of something else, or is damaged."""


class Part:
    """A segment with its tracks and events, while it is written."""

    def __init__(self, stem: Path, output: Path, info: VideoInfo) -> None:
        self._events = stem.with_suffix(".csv").open("w", newline="")
        self._tracks = stem.with_suffix(".jsonl").open("w")
        self._video = SegmentWriter(
            stem.with_suffix(".mp4"), output, (info.width, info.height), info.rate
        )

    def write(
        self,
        frame: Frame,
        image: Image.Image,
        instances: Iterable[TrackedInstance],
        events: Iterable[Event],
    ) -> None:
        self._video.write(frame, image)
        record = json.dumps(frame_record(frame, instances), separators=(",", ":"))
        self._tracks.write(f"{record}\n")
        self._events.write(events_csv(events))

    def close(self) -> Segment | None:
        """Finish; None if there was no frame."""
        self._events.close()
        self._tracks.close()
        return self._video.close()


@dataclass(frozen=True)
class Checkpoint:
    """Where a run can go on: after so many frames, with these states."""

    frames: int
    tracker: dict[str, Any] | None
    counter: dict[str, Any]


@contextmanager
def held(output: Path) -> Iterator[Path]:
    """The folder for the parts of `output`, kept from all other runs until the end of the block.

    BlockingIOError, whose strerror is for the user, if one of them has it.
    """
    folder = output.with_name(f"{output.name}.parts")
    lock = try_exclusive(folder / LOCK)
    if lock is None:
        message = "it is being written by another run"
        raise BlockingIOError(errno.EWOULDBLOCK, message, str(output))
    with lock:
        yield folder


class Parts:
    """The parts of `output`, in a folder that is `held`. `key`, as JSON has it, says what they are
    made of: others cannot go on with them.
    """

    def __init__(
        self, folder: Path, output: Path, info: VideoInfo, key: dict[str, Any], resume: bool
    ) -> None:
        self._output, self._info = output, info
        self.key = key
        self.folder = folder
        self.segments: list[Segment] = []
        self.reached = Checkpoint(0, None, {})
        if resume and self._manifest.exists():
            self._load()
        else:
            self._clear()

    @property
    def _manifest(self) -> Path:
        return self.folder / "manifest.json"

    def _load(self) -> None:
        try:
            saved = json.loads(self._manifest.read_text())
            known = saved["format"] == FORMAT and saved["key"] == self.key
            if known:
                self.reached = Checkpoint(**saved["reached"])
                self.segments = [
                    Segment(self.folder / name, Fraction(start), Fraction(end))
                    for name, start, end in saved["segments"]
                ]
        except (ValueError, KeyError, TypeError):
            raise self._useless(f"{self._manifest} is damaged, or of another version") from None
        if not known:
            raise self._useless("it was begun with another video, model or settings")
        for segment in self.segments:
            if not segment.path.is_file() or not segment.path.stat().st_size:
                raise self._useless(f"{segment.path} is missing or empty")
            for suffix in (".jsonl", ".csv"):
                if not segment.path.with_suffix(suffix).is_file():
                    raise self._useless(f"{segment.path.with_suffix(suffix)} is missing")

    def _useless(self, reason: str) -> VideoError:
        name = self._output.name
        return CannotResume(f"cannot go on with {name}: {reason}. Start anew, without resuming")

    def open(self) -> Part:
        """The next part."""
        return Part(self.folder / f"{len(self.segments):05}", self._output, self._info)

    def add(self, segment: Segment, reached: Checkpoint) -> None:
        """Note a closed part; from now on a run can go on after it."""
        self.segments.append(segment)
        self.reached = reached
        manifest = {
            "format": FORMAT,
            "key": self.key,
            "segments": [(s.path.name, str(s.start), str(s.end)) for s in self.segments],
            "reached": vars(reached),
        }
        atomic.write(self._manifest, json.dumps(manifest).encode())

    def collect(
        self, segments: Sequence[Segment], suffix: str, path: Path, first: str = "", last: str = ""
    ) -> None:
        """Write the records of segments into one file, with what comes first and last."""
        with atomic.replacing(path) as part, part.open("w") as target:
            target.write(first)
            for segment in segments:
                with segment.path.with_suffix(suffix).open() as source:
                    shutil.copyfileobj(source, target)
            target.write(last)

    def remove(self) -> None:
        self._clear()
        with suppress(OSError):  # from here on another run may have come in
            (self.folder / LOCK).unlink()
            self.folder.rmdir()

    def _clear(self) -> None:
        for path in self.folder.iterdir():
            if path.name != LOCK:
                with suppress(OSError):
                    path.unlink()
