"""Work that outlasts its request: jobs on disk, a folder each.

All server processes of a host see the same jobs. Whoever fills a job's folder or
works on it holds a lock on it, which the system takes back when the process
dies, in whatever way: a job that is said to be worked on, and is not locked, was
left behind.
"""

import fcntl
import json
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal

from bentoml_img.atomic import beside

# The states of BentoML's own tasks, which its client knows.
State = Literal["pending", "in_progress", "completed", "failed", "canceled"]
ACTIVE = ("pending", "in_progress")

# Of a job's folder.
RECORD, PROGRESS, LOCK, CANCELED = "job.json", "progress.json", "lock", "canceled"

DISK_SHARE = 3  # times a source: itself, the result, and the parts that this is joined of

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
    if nobody knows it any more. `unusable` says that the job failed for what the
    source is.
    """

    state: State
    created_at: str
    source: str
    parameters: dict[str, Any] = field(default_factory=dict)
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
        self._lock: BinaryIO | None = None

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
        """The record as it is written, failed if it cannot be read; NoSuchJob if there is none."""
        path = self.folder / RECORD
        try:
            return Record(**json.loads(path.read_text()))
        except FileNotFoundError:
            raise NoSuchJob(f"there is no task {self.id}, or its time is over") from None
        except (ValueError, TypeError):  # cut off with the power, or of another version
            written = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat()
            return Record("failed", written, source="", error="its record is damaged")

    def record(self) -> Record:
        """The record, as it is: failed if whoever worked on it is gone."""
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
        try:
            with (self.folder / LOCK).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def hold(self) -> bool:
        """Begin to work on it; False if somebody does."""
        lock = (self.folder / LOCK).open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    def release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def write(self, record: Record) -> None:
        _write(self.folder / RECORD, asdict(record))


class JobStore:
    """The jobs in a folder: `max_waiting` at most that are not done, each kept for a while.

    `keep` is the number of seconds for which the results of a job stay, or what
    is needed to go on with it.
    """

    def __init__(self, folder: Path, max_waiting: int, keep: float) -> None:
        self._folder = folder
        self._max_waiting = max_waiting
        self._keep = keep

    def new(self, size: int) -> Job:
        """An empty job that is held, to be filled with a source of so many bytes.

        StoreFull if too many wait already, or the disk has no room for source,
        work and result. To be closed, whether it is submitted or not.
        """
        with self._alone():
            self._sweep()
            self._check_room()
            if shutil.disk_usage(self._folder).free < DISK_SHARE * size:
                raise StoreFull("the server's disk is full")
            job = Job(self._folder / uuid.uuid4().hex)
            job.source_folder.mkdir(parents=True)
            job.result_folder.mkdir()
            job.hold()
        return job

    def submit(self, job: Job, source: Path, parameters: dict[str, Any]) -> None:
        """Let a new job wait for its turn. `source` is in its folder, `parameters` are JSON."""
        job.write(Record("pending", _now(), str(source.relative_to(job.folder)), parameters))

    def close(self, job: Job) -> None:
        """Let a new job go: to its turn if it was submitted, else away."""
        if not (job.folder / RECORD).exists():
            with self._alone():  # or a sweep finds its lock gone, and deletes the rest at once
                shutil.rmtree(job.folder)
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
            self._sweep()
            records = [(job, record) for job, record in self._jobs() if record]
            if any(record.state == "in_progress" for _, record in records):
                return None
            waiting = [(job, record) for job, record in records if record.state == "pending"]
            for job, record in sorted(waiting, key=lambda pair: pair[1].created_at):
                if job.hold():  # whoever submitted it has let it go
                    job.write(replace(record, state="in_progress", executed_at=_now()))
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
        """Let a job that failed or was cancelled go on; WrongState if it cannot. StoreFull."""
        with self._alone():
            record = job.record()
            if record.state not in ("failed", "canceled"):
                raise WrongState(f"task {job.id} is {record.state}: there is nothing to retry")
            if record.unusable or not record.source:
                raise WrongState(f"task {job.id} would fail again: {record.error}")
            self._check_room()
            (job.folder / CANCELED).unlink(missing_ok=True)
            waiting = Record("pending", record.created_at, record.source, record.parameters)
            job.write(waiting)

    def _check_room(self) -> None:
        active = [
            job
            for job, record in self._jobs()
            if (record.state in ACTIVE if record else job.is_held())
        ]
        if len(active) >= self._max_waiting:
            raise StoreFull(f"{len(active)} videos are waiting already, try again later")

    def _sweep(self) -> None:
        """Delete what is too old, and what was left before it was submitted."""
        for job, record in list(self._jobs()):
            if record is None:
                over = not job.is_held()
            else:
                age = time.time() - (job.folder / RECORD).stat().st_mtime
                over = record.state not in ACTIVE and age > self._keep
            if over:  # what cannot be deleted now is tried again the next time
                shutil.rmtree(job.folder, ignore_errors=True)

    def _jobs(self) -> Iterator[tuple[Job, Record | None]]:
        """The jobs and their records; None of one that is not submitted yet."""
        for folder in self._folder.iterdir():
            if folder.is_dir():
                job = Job(folder)
                yield job, job.record() if (folder / RECORD).exists() else None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep all others, threads and processes, from changing states."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _write(path: Path, content: dict[str, Any]) -> None:
    with beside(path) as part:
        part.write_text(json.dumps(content))
