import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services import runner
from services.jobs import LEFT_BEHIND, Job, JobStore
from services.runner import Runner, Unusable, WorkStopped
from tests.services.filling import submit

TIMEOUT = 60

Ending = Callable[[Job, Callable[[], bool]], None]


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path / "jobs", max_waiting=9, keep=3600)


class Work:
    """Ends each job by its `ends`, and notes when it has begun and ended."""

    def __init__(self, *ends: Ending) -> None:
        self.ends = iter(ends)
        self.began = threading.Event()
        self.last = threading.Event()

    def __call__(self, job: Job, stop: Callable[[], bool]) -> Path:
        self.began.set()
        next(self.ends)(job, stop)
        result = job.result_folder / "result"
        result.touch()
        return result


@contextmanager
def running(store: JobStore, *ends: Ending) -> Iterator[Work]:
    """A runner that does so many jobs, and then one more, which marks the end."""
    work = Work(*ends, lambda job, stop: work.last.set())
    it = Runner(store, work)
    it.open()
    try:
        yield work
    finally:
        it.close()


def fine(job: Job, stop: Callable[[], bool]) -> None:
    job.report({"frames": 1})


class Panic(BaseException):
    """As libraries in Rust raise it."""


def raises(error: BaseException) -> Ending:
    def end(job: Job, stop: Callable[[], bool]) -> None:
        raise error

    return end


def until_stopped(job: Job, stop: Callable[[], bool]) -> None:
    while not stop():
        pass
    raise WorkStopped


def test_jobs_are_done_one_after_another_whatever_becomes_of_them(
    store: JobStore, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = [submit(store) for _ in range(5)]
    ends = fine, *map(raises, (Unusable("no frames"), OSError("secret"), Panic("of a library")))
    with caplog.at_level(logging.ERROR, "bentoml_img.jobs"), running(store, *ends) as work:
        assert work.last.wait(TIMEOUT)
    (first, *failed, last) = (job.record() for job in jobs)
    assert [first.state, last.state] == ["completed", "completed"]
    unexpected = "an unexpected error, see the server's log"
    assert [(record.state, record.error, record.unusable) for record in failed] == [
        ("failed", "no frames", True),
        ("failed", unexpected, False),
        ("failed", unexpected, False),
    ]
    assert "OSError: secret" in caplog.text
    assert "Panic: of a library" in caplog.text


def test_a_cancelled_job_stops_and_the_next_one_is_done(store: JobStore) -> None:
    job, other = submit(store), submit(store)
    with running(store, until_stopped) as work:
        assert work.began.wait(TIMEOUT)
        store.cancel(job)
        assert work.last.wait(TIMEOUT)
    assert (job.record().state, other.record().state) == ("canceled", "completed")


def test_closing_stops_the_job_at_hand_which_can_be_retried(store: JobStore) -> None:
    job = submit(store)
    with running(store, until_stopped) as work:
        assert work.began.wait(TIMEOUT)
    record = job.record()
    assert (record.state, record.unusable) == ("failed", False)
    assert "the server was stopped" in str(record.error)
    store.retry(job)
    with running(store) as work:
        assert work.last.wait(TIMEOUT)
    assert job.record().state == "completed"


def test_an_error_of_the_store_is_not_the_end(
    store: JobStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runner, "LOOK_AGAIN", 0.01)
    take, errors = store.take, [OSError("disk"), ValueError("record")]

    def failing() -> Job | None:
        if errors:
            raise errors.pop()
        return take()

    monkeypatch.setattr(store, "take", failing)
    submit(store)
    with caplog.at_level(logging.ERROR, "bentoml_img.jobs"), running(store) as work:
        assert work.last.wait(TIMEOUT)
    assert caplog.text.count("cannot look for tasks") == 2


def test_a_job_whose_end_cannot_be_written_down_is_let_go(
    store: JobStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job, other = submit(store), submit(store)
    complete, errors = store.complete, [OSError("disk")]

    def failing(job: Job, result: Path) -> None:
        if errors:
            raise errors.pop()
        complete(job, result)

    monkeypatch.setattr(store, "complete", failing)
    with caplog.at_level(logging.ERROR, "bentoml_img.jobs"), running(store, fine) as work:
        assert work.last.wait(TIMEOUT)
    assert f"the end of task {job.id} cannot be written down" in caplog.text
    assert (job.record().error, other.record().state) == (LEFT_BEHIND, "completed")


def test_a_job_that_another_process_was_given_is_found(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "LOOK_AGAIN", 0.01)
    with running(store) as work:
        submit(store)
        assert work.last.wait(TIMEOUT)
