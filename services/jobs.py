"""Work that outlasts its request: jobs on disk, a folder each.

All server processes of a host see the same jobs. Whoever fills a job's folder or
works on it holds a lock on it, which the system takes back when the process
dies, in whatever way: a job that is said to be worked on, and is not locked, was
left behind.
"""

import json
import math
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from bentoml_img.system.atomic import replacing
from bentoml_img.system.locks import exclusive, is_locked, try_exclusive

# The states of BentoML's own tasks, which its client knows.
State = Literal["pending", "in_progress", "completed", "failed", "canceled"]
ACTIVE = ("pending", "in_progress")

# Of a job's folder; the store's has a lock, too.
RECORD, PROGRESS, LOCK, CANCELED = "job.json", "progress.json", "lock", "canceled"

# Times a source, about: itself, the result, and the parts that this is joined of.
DISK_SHARE = 3
SETTLED = 1.0  # seconds after which a further change of a file is sure to get another st_mtime

LEFT_BEHIND = "the server process that worked on it has ended: retry, and it goes on from there"


class JobError(Exception):
    """What cannot be done with a job; the message is for the user."""


class NoSuchJob(JobError):
    """There is no such job, or no longer."""


class WrongState(JobError):
    """Not now, or not any more."""


class StoreFull(JobError):
    """Too many jobs are waiting, or the disk is full."""


@dataclass(frozen=True)
class Record:
    """What is written of a job; times are ISO 8601, in UTC.

    `source` and `result` are paths of files, within its folder; `source` is empty
    if nobody knows it any more. `model` is the one whose server is to do it.
    `unusable` says that the job failed for what the source is.
    """

    state: State
    created_at: str
    source: str
    parameters: dict[str, Any] = field(default_factory=dict)
    model: str = ""
    executed_at: str | None = None
    completed_at: str | None = None
    result: str | None = None
    error: str | None = None
    unusable: bool = False


class Job:
    """A job in its folder. Only `JobStore` makes one, and changes its state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = folder.name
        self._lock: ExitStack | None = None

    @property
    def source_folder(self) -> Path:
        return self.folder / "source"

    @property
    def result_folder(self) -> Path:
        return self.folder / "result"

    @property
    def source(self) -> Path:
        return self.folder / self.written().source

    def written(self) -> Record:
        """The record on disk; a failed job's if it cannot be read. NoSuchJob if there is none."""
        path = self.folder / RECORD
        try:
            return Record(**json.loads(path.read_text()))
        except FileNotFoundError:
            raise NoSuchJob(f"there is no task {self.id}, or its time is over") from None
        except (ValueError, TypeError):  # cut off with the power, or of another version
            written = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat()
            return Record("failed", written, source="", error="its record is damaged")

    def record(self) -> Record:
        """The record; the job counts as failed if the process that worked on it is gone."""
        record = self.written()
        if record.state == "in_progress" and not self.is_held():
            record = self.written()  # it may have been completed between two looks
            if record.state == "in_progress":
                return replace(record, state="failed", error=LEFT_BEHIND)
        return record

    def progress(self) -> dict[str, Any] | None:
        """What was reported last."""
        try:
            progress: dict[str, Any] = json.loads((self.folder / PROGRESS).read_text())
        except (FileNotFoundError, ValueError):  # none yet, or cut off with the power
            return None
        return progress

    def report(self, progress: dict[str, Any]) -> None:
        """Say how far the work is."""
        _write(self.folder / PROGRESS, progress)

    @property
    def is_canceled(self) -> bool:
        """Whether somebody wants it to stop."""
        return (self.folder / CANCELED).exists()

    def is_held(self) -> bool:
        """Whether somebody works on it."""
        return is_locked(self.folder / LOCK)

    def hold(self) -> bool:
        """Begin to work on it; False if somebody does."""
        lock = try_exclusive(self.folder / LOCK)
        self._lock = lock or self._lock
        return lock is not None

    def release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def write(self, record: Record) -> None:
        _write(self.folder / RECORD, asdict(record))


class JobStore:
    """The jobs in a folder: at most `max_waiting` that have not ended.

    The folder of a job that has ended is deleted `keep` seconds after its last
    change. Servers of other models may keep their jobs in the same place: `model` is
    this one's.
    """

    def __init__(self, folder: Path, max_waiting: int, keep: float, model: str = "") -> None:
        self._folder = folder
        self._model = model
        self._max_waiting = max_waiting
        self._keep = keep
        self._ended: dict[str, int] = {}  # not read again until st_mtime_ns changes

    def new(self, size: int) -> Job:
        """An empty job that is held, to be filled with a source of so many bytes.

        StoreFull if too many wait already, or the disk has no room for source,
        work and result. To be closed, whether it is submitted or not.
        """
        with self._alone():
            self._check_waiting(self._sweep())
            self._make_room(DISK_SHARE * size)
            job = Job(self._folder / uuid.uuid4().hex)
            job.folder.mkdir(mode=0o700)  # others on this machine are not to see the video
            job.source_folder.mkdir()
            job.result_folder.mkdir()
            job.hold()
        return job

    def submit(self, job: Job, source: Path, parameters: dict[str, Any]) -> None:
        """Let a new job wait for its turn. `source` is in its folder, `parameters` are JSON.

        StoreFull if too many wait by now.
        """
        with self._alone():
            self._check_waiting(self._sweep())
            path = str(source.relative_to(job.folder))
            job.write(Record("pending", _now(), path, parameters, self._model))

    def close(self, job: Job) -> None:
        """Let go of a new job: it waits for its turn if it was submitted, and is deleted if not."""
        try:
            if not (job.folder / RECORD).exists():
                with self._alone():  # or a sweep finds its lock gone, and deletes the rest at once
                    shutil.rmtree(job.folder)
        finally:
            job.release()

    def get(self, task_id: str) -> Job:
        """The job of that id; NoSuchJob."""
        job = Job(self._folder / task_id)
        if not re.fullmatch("[0-9a-f]{32}", task_id) or not (job.folder / RECORD).exists():
            raise NoSuchJob(f"there is no task {task_id[:32]}, or its time is over")
        return job

    def take(self) -> Job | None:
        """The job whose turn it is, held and in progress; None if one is worked on already."""
        with self._alone():
            active = self._sweep()
            if any(record.state == "in_progress" for _, record in active):
                return None
            for job, record in sorted(active, key=lambda pair: pair[1].created_at):
                if job.hold():  # whoever submitted it has let it go
                    try:
                        job.write(replace(record, state="in_progress", executed_at=_now()))
                    except BaseException:
                        job.release()
                        raise
                    return job
            return None

    def complete(self, job: Job, result: Path) -> None:
        """End a job with its main result, a file in its folder, unless it was cancelled."""
        path = str(result.relative_to(job.folder))
        self._end(job, state="completed", result=path)

    def fail(self, job: Job, error: str, unusable: bool = False) -> None:
        """End a job without a result; one that is unusable cannot be retried."""
        self._end(job, state="failed", error=error, unusable=unusable)

    def _end(self, job: Job, **changes: Any) -> None:
        with self._alone():
            record = replace(job.written(), completed_at=_now(), **changes)
            if job.is_canceled:
                record = replace(record, state="canceled", result=None, error=None, unusable=False)
            job.write(record)  # before anything is deleted: a crash between must not need it
            if record.unusable:
                shutil.rmtree(job.result_folder, ignore_errors=True)
            if record.unusable or record.state == "completed":
                shutil.rmtree(job.source_folder, ignore_errors=True)
            job.release()

    def cancel(self, job: Job) -> None:
        """Stop a job, soon if it is worked on; WrongState if it has ended already."""
        with self._alone():
            record = job.record()
            if record.state == "in_progress":
                (job.folder / CANCELED).touch()
            elif record.state == "pending":
                job.write(replace(record, state="canceled", completed_at=_now()))
            elif record.state != "canceled":
                raise WrongState(f"task {job.id} is {record.state} already")

    def retry(self, job: Job) -> None:
        """Let a job that failed or was cancelled go on; WrongState if it cannot; StoreFull.

        A job that waits for another model may be retried, too, and is this model's from
        then on.
        """
        with self._alone():
            record = job.record()
            if record.state not in ("failed", "canceled") and not self.elsewhere(record):
                raise WrongState(f"task {job.id} is {record.state}: there is nothing to retry")
            if record.unusable or not record.source:
                raise WrongState(f"task {job.id} would fail again: {record.error}")
            self._check_waiting(self._sweep())
            (job.folder / CANCELED).unlink(missing_ok=True)
            job.write(
                Record("pending", record.created_at, record.source, record.parameters, self._model)
            )

    def elsewhere(self, record: Record) -> str | None:
        """What is to be said of a job that waits for a server of another model; else None."""
        if record.state != "pending" or record.model == self._model:
            return None
        return f"it waits for a server of {record.model}: retry, and {self._model} does it here"

    def _check_waiting(self, active: Sequence[tuple[Job, Record]]) -> None:
        """StoreFull if `active` are too many; jobs that are still being sent are not among them."""
        if len(active) >= self._max_waiting:
            raise StoreFull(f"{len(active)} videos are waiting already, try again later")

    def _make_room(self, size: int) -> None:
        """See that so many bytes are free, if need be by deleting what was cancelled; StoreFull.

        What was cancelled is known from the last sweep, so there must have been one just before.
        """
        cancelled = self._cancelled()
        while shutil.disk_usage(self._folder).free < size:
            if (job := next(cancelled, None)) is None:
                raise StoreFull("the server's disk is full")
            shutil.rmtree(job.folder, ignore_errors=True)

    def _cancelled(self) -> Iterator[Job]:
        """Of the jobs that the last sweep saw ended those that were cancelled, the oldest first."""
        for name in sorted(self._ended, key=self._ended.__getitem__):
            job = Job(self._folder / name)
            if job.record().state == "canceled":
                yield job

    def _sweep(self) -> list[tuple[Job, Record]]:
        """Go through all jobs; those of this model that wait or are worked on, with their records.

        Jobs that ended too long ago are deleted, and so are those that nobody
        submitted. Which others have ended is remembered: their records need not be read
        the next time.
        """
        active, ended = [], {}
        for folder in os.scandir(self._folder):
            if not folder.is_dir():
                continue
            job = Job(Path(folder.path))
            changed = folder.stat().st_mtime_ns
            age = time.time() - changed / 1e9
            if self._ended.get(job.id) != changed:
                record = job.record() if (job.folder / RECORD).exists() else None
                if record and record.state in ACTIVE:
                    if record.model == self._model:
                        active.append((job, record))
                    continue
                if record is None and job.is_held():
                    continue
                age = age if record else math.inf
            if age > self._keep:  # what cannot be deleted now is tried again the next time
                shutil.rmtree(job.folder, ignore_errors=True)
            elif age > SETTLED:
                ended[job.id] = changed
        self._ended = ended
        return active

    def _alone(self) -> AbstractContextManager[object]:
        """Keep all others, threads and processes, from changing states."""
        return exclusive(self._folder / LOCK)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _write(path: Path, content: dict[str, Any]) -> None:
    with replacing(path) as part:
        part.write_text(json.dumps(content))
