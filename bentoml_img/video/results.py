"""What is made of a video, the annotated one and the records beside it; and how far that is."""

from dataclasses import dataclass
from pathlib import Path

# What replaces the suffix of the annotated video in the names of its records.
RECORDS = {"tracks": ".tracks.jsonl", "events": ".events.csv", "summary": ".summary.json"}
INTERRUPTED = "interrupted"  # by Ctrl-C: why a result ends early


@dataclass(frozen=True)
class Result:
    """The files written, how many frames they have, and why they end early, if they do."""

    video: Path
    tracks: Path
    events: Path
    summary: Path
    frames: int
    stopped: str | None

    @classmethod
    def of(cls, video: Path, frames: int, stopped: str | None = None) -> "Result":
        """With its records where they belong."""
        records = {what: video.with_suffix(suffix) for what, suffix in RECORDS.items()}
        return cls(video, **records, frames=frames, stopped=stopped)

    @property
    def files(self) -> dict[str, Path]:
        """All of them: the video as "result", and the records by their names."""
        return {"result": self.video, **{what: getattr(self, what) for what in RECORDS}}


@dataclass(frozen=True)
class Speed:
    """Given after each frame: how many are done, of how many if known, and frames a second."""

    done: int
    total: int | None
    per_second: float

    @property
    def seconds_left(self) -> float | None:
        return None if self.total is None else max(0, self.total - self.done) / self.per_second
