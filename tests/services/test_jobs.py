import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services import jobs
from services.jobs import LEFT_BEHIND, Job, JobStore, NoSuchJob, StoreFull, WrongState

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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "jobs"


@pytest.fixture
def store(folder: Path) -> JobStore:
    return JobStore(folder, max_waiting=3, keep=3600)


def submit(store: JobStore, name: str = "a.gif") -> Job:
    job = store.new(1)
    source = job.source_folder / name
    source.write_bytes(b"GIF")
    store.submit(job, source, {"every": 2})
    store.close(job)
    return store.get(job.id)


def finish(store: JobStore, job: Job) -> Path:
    result = job.result_folder / "a_result.gif"
    result.write_bytes(b"result")
    store.complete(job, result)
    return result


def state(job: Job) -> str:
    return job.record().state


def test_a_job_goes_from_hand_to_hand(store: JobStore, folder: Path) -> None:
    job = submit(store)
    assert (state(job), job.record().parameters) == ("pending", {"every": 2})
    taken = store.take()
    assert taken is not None
    assert (taken.id, state(job)) == (job.id, "in_progress")
    taken.report({"frames": 1})
    assert job.progress() == {"frames": 1}
    result = finish(store, taken)
    again = JobStore(folder, 3, 3600).get(job.id).record()
    assert (again.state, again.error) == ("completed", None)
    assert again.created_at <= (again.executed_at or "") <= (again.completed_at or "")
    assert again.result is not None
    assert (job.folder / again.result).read_bytes() == result.read_bytes()
    assert not job.source_folder.exists()


def test_one_is_worked_on_at_a_time_in_the_order_of_their_coming(store: JobStore) -> None:
    ids = [submit(store).id for _ in range(3)]
    done = []
    for _ in range(3):
        job = store.take()
        assert job is not None
        assert store.take() is None
        done.append(job.id)
        finish(store, job)
    assert done == ids
    assert store.take() is None


def test_more_than_may_wait_are_refused(store: JobStore) -> None:
    first, third = submit(store), submit(store)
    filling = store.new(1)
    source = filling.source_folder / "a.gif"
    submit(store)
    with pytest.raises(StoreFull, match="3 videos are waiting already"):
        store.new(1)
    with pytest.raises(StoreFull):  # which was not known when it began to be sent
        store.submit(filling, source, {})
    store.close(filling)
    for job in (first, third):
        store.cancel(job)
    assert [state(submit(store)) for _ in range(2)] == ["pending"] * 2
    with pytest.raises(StoreFull):
        store.retry(first)


def test_a_source_that_does_not_fit_on_the_disk_is_refused(store: JobStore) -> None:
    with pytest.raises(StoreFull, match="disk"):
        store.new(2**60)


def test_what_was_cancelled_makes_room(
    store: JobStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "SETTLED", -1.0)
    older, newer, failed = (submit(store) for _ in range(3))
    for job in (older, newer):
        store.cancel(job)
    taken = store.take()
    assert taken is not None
    store.fail(taken, "an error")
    usage = shutil.disk_usage(folder)

    def usage_of(path: Path) -> Any:
        return usage._replace(free=10 * (4 - len(list(path.glob("*/")))))

    monkeypatch.setattr(shutil, "disk_usage", usage_of)
    store.close(store.new(6))
    assert {path.name for path in folder.glob("*/")} == {newer.id, failed.id}
    with pytest.raises(StoreFull, match="disk"):
        store.new(100)
    assert state(failed) == "failed"


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


def test_servers_of_two_models_leave_each_others_jobs_alone(folder: Path) -> None:
    one, other = (JobStore(folder, 1, 3600, model) for model in ("a:1 in fp32", "a:1 in int8"))
    first, second = submit(one), submit(other)
    os.utime(second.folder, (0, 0))
    done_by_one, done_by_other = one.take(), other.take()
    assert done_by_one is not None
    assert done_by_other is not None
    assert (done_by_one.id, done_by_other.id) == (first.id, second.id)
    with pytest.raises(StoreFull):
        one.new(1)
    with pytest.raises(WrongState, match="in_progress: there is nothing to retry"):
        one.retry(second)
    finish(one, done_by_one)
    assert one.take() is None
    finish(other, done_by_other)


def test_a_job_of_a_model_that_is_gone_says_so_and_can_be_given_to_another(folder: Path) -> None:
    job, unwanted = (submit(JobStore(folder, 2, 3600, "a:1")) for _ in range(2))
    store = JobStore(folder, 1, 3600, "a:2")
    assert store.take() is None
    assert (
        store.elsewhere(job.record()) == "it waits for a server of a:1: retry, and a:2 does it here"
    )
    store.retry(job)
    assert store.elsewhere(job.record()) is None
    taken = store.take()
    assert taken is not None
    assert taken.id == job.id
    finish(store, taken)
    store.cancel(unwanted)
    assert state(unwanted) == "canceled"


def test_a_waiting_job_is_cancelled_at_once(store: JobStore) -> None:
    job = submit(store)
    store.cancel(job)
    store.cancel(job)
    assert state(job) == "canceled"
    assert store.take() is None


@pytest.mark.parametrize("end", ["complete", "fail"])
def test_a_running_job_that_is_cancelled_ends_so_whatever_its_work_says(
    end: str, store: JobStore
) -> None:
    job = submit(store)
    taken = store.take()
    assert taken is not None
    assert not taken.is_canceled
    store.cancel(job)
    assert taken.is_canceled
    if end == "complete":
        finish(store, taken)
    else:
        store.fail(taken, "stopped")
    assert (state(job), job.record().error, job.record().result) == ("canceled", None, None)


def test_what_has_ended_is_not_cancelled(store: JobStore) -> None:
    job = submit(store)
    taken = store.take()
    assert taken is not None
    finish(store, taken)
    with pytest.raises(WrongState, match="completed already"):
        store.cancel(job)
    job, taken = submit(store), store.take()
    assert taken is not None
    store.fail(taken, "a reason")
    with pytest.raises(WrongState, match="failed already"):
        store.cancel(job)


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


def test_a_cancelled_job_goes_on_with_what_is_there(store: JobStore) -> None:
    job = submit(store)
    taken = store.take()
    assert taken is not None
    part = taken.result_folder / "part"
    part.touch()
    store.cancel(job)
    store.fail(taken, "stopped")
    store.retry(job)
    assert state(job) == "pending"
    again = store.take()
    assert again is not None
    assert not again.is_canceled
    assert part.exists()
    assert again.source.read_bytes() == b"GIF"
    finish(store, again)
    assert state(job) == "completed"


def test_what_is_unusable_leaves_nothing_and_is_not_retried(store: JobStore) -> None:
    job = submit(store)
    taken = store.take()
    assert taken is not None
    store.fail(taken, "it ends early", unusable=True)
    assert (state(job), job.record().error) == ("failed", "it ends early")
    assert not job.source_folder.exists()
    assert not job.result_folder.exists()
    with pytest.raises(WrongState, match="it ends early"):
        store.retry(job)


@pytest.mark.parametrize("ended", [False, True])
def test_what_has_not_failed_is_not_retried(ended: bool, store: JobStore) -> None:
    job = submit(store)
    if ended:
        taken = store.take()
        assert taken is not None
        finish(store, taken)
    with pytest.raises(WrongState, match="nothing to retry"):
        store.retry(job)


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


def test_ids_that_are_none(store: JobStore, folder: Path) -> None:
    job = submit(store)
    outside = folder.with_name("outside")
    shutil.copytree(job.folder, outside)
    for task_id in ("", "0" * 32, "../outside", str(outside), f"./{job.id}", f"{job.id}/"):
        with pytest.raises(NoSuchJob):
            store.get(task_id)
