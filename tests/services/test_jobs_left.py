"""What is left on disk by those who fill jobs and work on them, and what becomes of it."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services import jobs
from services.jobs import LEFT_BEHIND, Job, JobStore, NoSuchJob, WrongState
from tests.services.filling import finish, state, submit

# Takes a job in another process, which then ends without a word.
TAKE_AND_DIE = """
import os, sys
from pathlib import Path
from typing import Any
from services.jobs import JobStore
job = JobStore(Path(sys.argv[1]), 9, 3600).take()
job.report({"frames": 3})
os.kill(os.getpid(), 9)
"""


def test_what_is_not_submitted_leaves_nothing(store: JobStore, folder: Path) -> None:
    job = store.new(1)
    (job.source_folder / "half").write_bytes(b"x")
    store.close(job)
    assert [path.name for path in folder.iterdir()] == ["lock"]


def test_nobody_sweeps_what_is_being_deleted(
    store: JobStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = store.new(1)
    deleted = []

    def delete(path: Path) -> None:
        deleted.append(path)
        with (folder / "lock").open("wb") as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    monkeypatch.setattr(shutil, "rmtree", delete)
    store.close(job)
    assert deleted == [job.folder]


def test_what_a_dead_process_was_filling_is_swept(store: JobStore, folder: Path) -> None:
    (folder / ("0" * 32) / "source").mkdir(parents=True)
    filling = store.new(1)
    assert {path.name for path in folder.iterdir()} == {"lock", filling.id}
    store.close(filling)


def test_a_job_that_cannot_be_taken_waits_for_the_next_try(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(store)
    with monkeypatch.context() as full:
        full.setattr(Job, "write", raise_full)
        with pytest.raises(OSError, match="full"):
            store.take()
    taken = store.take()
    assert taken is not None
    assert taken.id == job.id


def test_a_job_that_cannot_be_deleted_is_let_go(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = store.new(1)
    with monkeypatch.context() as full:
        full.setattr(shutil, "rmtree", raise_full)
        with pytest.raises(OSError, match="full"):
            store.close(job)
    submit(store)
    assert not job.folder.exists(), "a later look at all jobs deletes it"


def raise_full(*_: object) -> None:
    raise OSError("full")


def test_a_process_that_dies_leaves_a_job_that_says_so_and_can_be_retried(
    store: JobStore, folder: Path
) -> None:
    job = submit(store)
    died = subprocess.run([sys.executable, "-c", TAKE_AND_DIE, folder])
    assert died.returncode == -9
    assert (state(job), job.record().error) == ("failed", LEFT_BEHIND)
    assert job.progress() == {"frames": 3}
    other = submit(store)
    taken = store.take()
    assert taken is not None
    assert taken.id == other.id
    finish(store, taken)
    store.retry(job)
    assert state(job) == "pending"
    taken = store.take()
    assert taken is not None
    assert taken.id == job.id
    finish(store, taken)


def test_results_go_after_their_time(store: JobStore, folder: Path) -> None:
    old, new, waiting = submit(store), submit(store), submit(store)
    for _ in range(2):
        taken = store.take()
        assert taken is not None
        finish(store, taken)
    for job in (old, waiting):
        os.utime(job.folder, (0, 0))
    store.close(store.new(1))
    with pytest.raises(NoSuchJob, match="its time is over"):
        old.record()
    assert (state(new), state(waiting)) == ("completed", "pending")


def test_what_was_left_behind_is_kept_from_the_last_sign_of_work_on_it(store: JobStore) -> None:
    job = submit(store)
    taken = store.take()
    assert taken is not None
    os.utime(job.folder / jobs.RECORD, (0, 0))
    os.utime(job.folder, (0, 0))
    taken.report({"frames": 3})
    taken.release()
    assert store.take() is None
    assert (state(job), job.progress()) == ("failed", {"frames": 3})
    store.retry(job)
    again = store.take()
    assert again is not None
    again.release()


def test_what_has_ended_is_read_once(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "SETTLED", -1.0)
    job = submit(store)
    store.cancel(job)
    assert store.take() is None
    with monkeypatch.context() as context:
        context.setattr(Job, "record", lambda _: pytest.fail("it is read again"))
        assert store.take() is None
    store.retry(job)
    again = store.take()
    assert again is not None
    again.release()
    assert again.id == job.id


def test_what_is_not_let_go_yet_is_passed_over(store: JobStore) -> None:
    held = store.new(1)
    source = held.source_folder / "a.gif"
    source.write_bytes(b"GIF")
    store.submit(held, source, {})
    later = submit(store)
    taken = store.take()
    assert taken is not None
    assert taken.id == later.id
    finish(store, taken)
    assert store.take() is None
    store.close(held)
    last = store.take()
    assert last is not None
    last.release()


def test_a_crash_while_the_source_is_deleted_leaves_a_completed_job(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(store)
    job = store.take()
    assert job is not None

    def crash(path: Path, ignore_errors: bool) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(shutil, "rmtree", crash)
        with pytest.raises(KeyboardInterrupt):
            finish(store, job)
    job.release()
    assert state(job) == "completed"


def test_a_source_that_cannot_be_deleted_leaves_a_completed_job(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(store)
    job = store.take()
    assert job is not None

    def busy(path: Path, *_: Any, **__: Any) -> None:
        raise OSError("busy")

    with monkeypatch.context() as context:
        context.setattr(os, "rmdir", busy)
        finish(store, job)
    assert state(job) == "completed"
    assert job.source_folder.is_dir()


def test_what_cannot_be_deleted_is_no_hindrance(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(path: Path, *_: Any, **__: Any) -> None:
        raise OSError("busy")

    left = store.new(1)
    left.release()  # as a process that died left it
    with monkeypatch.context() as context:
        context.setattr(os, "rmdir", busy)
        for _ in range(3):
            submit(store)
        job = store.take()
    assert job is not None
    assert left.folder.is_dir()
    assert store.take() is None
    assert not left.folder.is_dir()
    job.release()


def test_progress_that_was_cut_off_is_none(store: JobStore) -> None:
    job = submit(store)
    (job.folder / jobs.PROGRESS).write_text('{"fra')
    assert job.progress() is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"state": "pending", "of": "the future"}'])
def test_a_record_that_cannot_be_read_is_no_hindrance(
    content: str, store: JobStore, folder: Path
) -> None:
    damaged, job = submit(store), submit(store)
    (damaged.folder / jobs.RECORD).write_text(content)
    assert (state(damaged), damaged.record().error) == ("failed", "its record is damaged")
    with pytest.raises(WrongState, match="would fail again"):
        store.retry(damaged)
    taken = store.take()
    assert taken is not None
    assert taken.id == job.id
    finish(store, taken)
    os.utime(damaged.folder, (0, 0))
    store.close(store.new(1))
    assert not damaged.folder.exists()
