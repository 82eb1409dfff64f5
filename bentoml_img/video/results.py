"""What is made of a video, the annotated one and the records beside it; and how far that is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class RecordFile:
    """What replaces the suffix of the annotated video in the name of a record of it."""

    suffix: str
    media_type: str


RECORDS = {
    "tracks": RecordFile(".tracks.jsonl", "application/x-ndjson"),
    "events": RecordFile(".events.csv", "text/csv"),
    "summary": RecordFile(".summary.json", "application/json"),
}


def files_of(video: Path) -> dict[str, Path]:
    """All files of a result: the annotated video as "result", and its records by their names."""
    records = {what: video.with_suffix(file.suffix) for what, file in RECORDS.items()}
    return {"result": video, **records}


@dataclass(frozen=True)
class Ending:
    """How a result ends: where its source does, or early, at an error, such as damage of the
    source, or at Ctrl-C.
    """

    error: str | None = None
    interrupted: bool = False

    @property
    def reason(self) -> str | None:
        """Why it is early, for people; None if it is not."""
        return "interrupted" if self.interrupted else self.error


COMPLETE = Ending()


@dataclass(frozen=True)
class Result:
    """The annotated video, with its records beside it; how many frames they have, how they end."""

    video: Path
    frames: int
    ending: Ending

    @property
    def tracks(self) -> Path:
        return files_of(self.video)["tracks"]

    @property
    def events(self) -> Path:
        return files_of(self.video)["events"]

    @property
    def summary(self) -> Path:
        return files_of(self.video)["summary"]


@dataclass(frozen=True)
class Visits:
    """How many entered a zone and left it, by class, and the seconds that they spent there."""

    entered: dict[str, int]
    left: dict[str, int]
    seconds: float


@dataclass(frozen=True)
class VideoSummary:
    """What the rows of a result's events add up to, and of what it is made.

    `model` is the detector's identity: the model's name, its version and the precision.
    `counts` are the tracks that appeared, by class; `crossings` are by line, direction
    and class; `zones` by their names. `stopped` says why it ends early, null if it does not.
    """

    schema: int
    source: str
    model: str
    width: int
    height: int
    frames: int
    seconds: float
    stopped: str | None
    warnings: list[str]
    counts: dict[str, int]
    crossings: dict[str, dict[str, dict[str, int]]]
    zones: dict[str, Visits]
    made_of: dict[str, Any]


@dataclass(frozen=True)
class FrameProgress:
    """Given after each frame: how many are done, of how many if known, and frames a second."""

    done: int
    total: int | None
    per_second: float

    @property
    def seconds_left(self) -> float | None:
        return None if self.total is None else max(0, self.total - self.done) / self.per_second
