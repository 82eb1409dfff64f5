"""Starts a server under test, waits until it answers, and ends it with all its children."""

import contextlib
import http.client
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from bentoml_img.paths import ROOT

START_SECONDS = 180
STOP_SECONDS = 20


class ServerError(Exception):
    """A server that did not start or died; the message holds the end of its log."""


@contextlib.contextmanager
def private_store() -> Iterator[Path]:
    """A scratch folder, in which BentoML's store is, instead of the user's.

    To be entered before BentoML is imported.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        os.environ |= {"BENTOML_HOME": f"{scratch}/bentoml", "BENTOML_DO_NOT_TRACK": "true"}
        yield Path(scratch)


@contextlib.contextmanager
def serving(
    command: list[str], port: int, environment: Mapping[str, str]
) -> Iterator[psutil.Process]:
    """Run a server, from when it first answers until the end of the block.

    ServerError if it exits early or takes longer than START_SECONDS.
    """
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_until_it_answers(process, port)
            yield psutil.Process(process.pid)
            if process.poll() is not None:
                raise ServerError("it died under load")
        except Exception as error:
            log.seek(0)
            tail = log.read()[-2000:].decode(errors="replace")
            raise ServerError(f"{' '.join(command)}: {error}\n{tail}") from error
        finally:
            _stop(process)


def cpu_seconds(server: psutil.Process) -> float:
    """The processor time that a server and all its children have used so far."""
    family = [server, *server.children(recursive=True)]
    return float(sum(sum(process.cpu_times()[:2]) for process in family))


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerError(f"it ended with status {process.returncode}")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/")
            connection.getresponse()
            return
        time.sleep(0.1)
    raise ServerError(f"it did not start within {START_SECONDS} s")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server, and its workers, which may be in sessions of their own."""
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        process.kill()
        for left in psutil.wait_procs(family, timeout=1)[1]:
            left.kill()
    process.wait()
