import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bentoml_img.paths import ROOT
from bentoml_img.system.interrupts import uninterrupted

# As its C extension does.
OPENVINO_AT_CTRL_C = """
import signal
from types import SimpleNamespace as properties
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    raise ImportError("initialization failed") from None
"""

# Before any other module: Ctrl-C while NumPy is imported.
SITECUSTOMIZE = """
import signal, sys
class Interrupter:
    def find_spec(self, name, path, target=None):
        if name == "numpy":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupter())
"""
SCRIPTS = ["classify", "segment", "detect"]


def test_ctrl_c_waits_for_the_end_of_the_block() -> None:
    written = []

    def write() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            written.append("whole")

    with pytest.raises(KeyboardInterrupt):
        write()
    assert written == ["whole"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_comes_first() -> None:
    def fail() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_signals_that_somebody_else_handles_are_left_alone() -> None:
    came = []
    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    try:
        with uninterrupted():
            signal.raise_signal(signal.SIGTERM)
            assert came == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_in_a_thread_it_does_nothing() -> None:
    done = []

    def work() -> None:
        with uninterrupted():
            done.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.default_int_handler]


@pytest.mark.parametrize("script", ["detect", "segment"])
def test_ctrl_c_while_openvino_is_imported_ends_a_script(tmp_path: Path, script: str) -> None:
    (tmp_path / "openvino.py").write_text(OPENVINO_AT_CTRL_C)
    command = [sys.executable, f"{ROOT}/bentoml_img_{script}.py", f"{ROOT}/images/dog.jpg"]
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("script", SCRIPTS)
def test_ctrl_c_while_a_script_imports_its_modules_ends_it(tmp_path: Path, script: str) -> None:
    done = version(tmp_path, script)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize("script", SCRIPTS)
def test_ctrl_c_is_not_for_a_script_in_the_background(tmp_path: Path, script: str) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as shells do; children inherit it
    try:
        done = version(tmp_path, script)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (done.returncode, done.stderr) == (0, "")


def version(folder: Path, script: str) -> "subprocess.CompletedProcess[str]":
    """Run a script with --version; Ctrl-C comes while it imports its modules."""
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
    command = [sys.executable, f"{ROOT}/bentoml_img_{script}.py", "--version"]
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    return subprocess.run(command, env=environment, capture_output=True, text=True)
