"""The command on a terminal: its progress bar, Ctrl-C, a terminal that is closed."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

from tests.bentoml_run.conftest import BENTOML


def test_progress_bar_on_a_terminal(environment: dict[str, str], texts: Path) -> None:
    leader, follower = pty.openpty()
    command = [*BENTOML, "run", "TextTools", "fail", "--input-file", "a.txt", "b.txt", "-q"]
    with subprocess.Popen(
        command,
        cwd=texts,
        env={**environment, "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=follower,
    ) as process:
        os.close(follower)
        assert process.stdout is not None
        assert process.stdout.read() == b"one two three\nfour\nfive\n"
        shown = b""
        while chunk := read_terminal(leader):
            shown += chunk
    os.close(leader)
    assert process.returncode == 0
    assert b"0/2" in shown
    assert b"2/2" in shown


INTERRUPTED = """
import os, signal
from bentoml_run.bento import scratch
with scratch(lambda: print("cleaned up", flush=True)):
    os.kill(os.getpid(), signal.SIGINT)
"""


HANGS_UP = """
import os, signal
from bentoml_run.bento import scratch
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with scratch():
    os.kill(os.getpid(), signal.SIGHUP)
print("went on")
"""


def test_what_nohup_ignores_stays_ignored() -> None:
    run = subprocess.run([sys.executable, "-c", HANGS_UP], check=True, stdout=subprocess.PIPE)
    assert run.stdout == b"went on\n"


def test_an_interrupt_cleans_up_and_shows_the_cursor_again() -> None:
    leader, follower = pty.openpty()
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], check=False, stdout=subprocess.PIPE, stderr=follower
    )
    os.close(follower)
    assert (run.returncode, run.stdout) == (130, b"cleaned up\n")
    assert read_terminal(leader).endswith(b"\x1b[?25h")
    os.close(leader)


def read_terminal(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # Linux, once the other side is closed
        return b""


def test_interrupt(environment: dict[str, str], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(
        [*BENTOML, "run", "TextTools", "pause"],
        env={**environment, "PAUSE": str(pipe), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert pipe.read_text() == "pausing"  # it computes now, in a thread
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate()
    assert process.returncode == 130
    assert stdout == b""
    assert b"Traceback" not in stderr
    assert os.listdir(tmp_path) == ["pipe"]
