"""A thread that works on the jobs of a store, one after another."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from services.jobs import Job, JobStore

logger = logging.getLogger("bentoml_img.jobs")

LOOK_AGAIN = 3.0  # seconds after which a job is found that another process was given


class Unusable(Exception):
    """Raised by work on a job: it failed for what its source is. The message is for the user."""


class WorkStopped(Exception):
    """Raised by work on a job: it ended early, as it was told to."""


class Runner:
    """Calls `work` with one job at a time, as long as it is open.

    `work` returns the job's main result. Its second argument says when to stop,
    because the runner closes or some process has cancelled the job: `work` then
    raises WorkStopped soon.
    """

    def __init__(self, store: JobStore, work: Callable[[Job, Callable[[], bool]], Path]) -> None:
        self.store = store
        self._work = work
        self._closing = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="jobs", daemon=True)

    def open(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Look for a job at once."""
        self._wake.set()

    def close(self) -> None:
        """Stop at the next frame: what is done stays, and can be gone on with."""
        self._closing.set()
        self._wake.set()
        self._thread.join()

    def _loop(self) -> None:
        while not self._closing.is_set():
            self._wake.clear()
            if (job := self._take()) is None:
                self._wake.wait(LOOK_AGAIN)
                continue
            try:
                self._run(job)
            except BaseException:  # whatever it is, the thread goes on with the next one
                logger.exception("the end of task %s cannot be written down", job.id)
            finally:
                job.release()

    def _take(self) -> Job | None:
        try:
            return self.store.take()
        except Exception:
            logger.exception("cannot look for tasks")
            return None

    def _run(self, job: Job) -> None:
        try:
            result = self._work(job, lambda: self._closing.is_set() or job.is_canceled)
        except Unusable as error:
            self.store.fail(job, str(error), unusable=True)
        except WorkStopped:
            self.store.fail(job, "the server was stopped: retry, and it goes on from there")
        except BaseException:  # a library in Rust may panic, which is no Exception
            logger.exception("unexpected error in task %s", job.id)
            self.store.fail(job, "an unexpected error, see the server's log")
        else:
            self.store.complete(job, result)
