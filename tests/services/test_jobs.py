import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from services import jobs
from services.jobs import JobStore, NoSuchJob, StoreFull, WrongState
from tests.services.filling import finish, state, submit


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


def test_no_id_tells_of_another(store: JobStore) -> None:
    one, other = submit(store).id, submit(store).id
    assert len(one) == len(other) == 32
    assert sum(a == b for a, b in zip(one, other, strict=True)) < 16, "two are equal by chance"


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


def test_no_other_user_of_the_machine_sees_a_video(store: JobStore) -> None:
    assert submit(store).folder.stat().st_mode & 0o777 == 0o700


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


def test_ids_that_are_none(store: JobStore, folder: Path) -> None:
    job = submit(store)
    outside = folder.with_name("outside")
    shutil.copytree(job.folder, outside)
    for task_id in ("", "0" * 32, "../outside", str(outside), f"./{job.id}", f"{job.id}/"):
        with pytest.raises(NoSuchJob):
            store.get(task_id)
