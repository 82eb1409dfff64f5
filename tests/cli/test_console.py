import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import pytest
from rich.table import Table

import bentoml_img_segment
from bentoml_img import packaging
from bentoml_img.bundle import BundleError
from bentoml_img.cli import console
from bentoml_img.cli.each import Done, do_each
from bentoml_img.cli.show_packaging import package_and_show, show_packaged
from bentoml_img.packaging import PackagedBento

PRINTERS = (
    partial(console.print_line, "a line"),
    partial(console.print_table, Table("a column")),
    partial(do_each, [Path("a.jpg")], lambda *_: Done([b"a_result.jpg"])),
)


def test_what_is_shown_of_a_bento_fits_on_a_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (
        "README.md",
        "src/services/a.py",
        "src/services/deep/b.py",
        "env/docker/Dockerfile",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    show_packaged(PackagedBento("Some:1", tmp_path), "images/dog.jpg")
    written = capsys.readouterr()
    assert written.out == "Some:1\n"  # for scripts
    assert [line.strip("├└│─ ") for line in written.err.splitlines()] == [
        "Some:1",
        "README.md",
        "env/",
        "docker/ (1 file)",
        "src/",
        "services/ (2 files)",
        f"Some:1 is in {tmp_path}",
        "bentoml run Some:latest predict --input-file=images/dog.jpg",
        "bentoml serve Some:latest --host 127.0.0.1",
        "bentoml containerize Some:latest",
    ]


FULL = "[Errno 28] No space left on device"
NOT_COPIED = [("a/1.py", "b/1.py", f"{FULL}: 'b/1.py'"), ("a", "b", FULL)]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "a.part"), "Permission denied"),
        (shutil.Error(NOT_COPIED), FULL),
    ],
)
def test_a_store_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, why: str
) -> None:
    def package(*_: object) -> PackagedBento:
        raise error

    monkeypatch.setattr(packaging, "package", package)
    monkeypatch.setenv("BENTOML_HOME", "/store")
    with pytest.raises(BundleError) as raised:
        package_and_show(tmp_path / "net", "auto", "fp32", "images/dog.jpg")
    assert str(raised.value) == f"cannot package net in /store (BENTOML_HOME): {why}"


@pytest.mark.parametrize("name", ["some_package", "some_package.part"])
def test_a_package_that_is_missing_is_told_with_the_extra(name: str) -> None:
    with pytest.raises(click.ClickException) as error, console.plain_errors("video"):
        raise ModuleNotFoundError(name=name)
    assert str(error.value) == "some_package is not installed: pip install -e '.[video]'"


@pytest.mark.parametrize("name", ["bentoml_img.nothing", "services", None])
def test_a_module_of_this_project_that_is_missing_is_an_error_of_ours(name: str | None) -> None:
    with pytest.raises(ModuleNotFoundError), console.plain_errors("video"):
        raise ModuleNotFoundError(name=name)


@pytest.mark.parametrize("write", PRINTERS)
def test_a_standard_output_that_takes_nothing(
    write: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(click.ClickException) as error:
            write()
    assert str(error.value) == "standard output cannot be written: No space left on device"


@pytest.mark.parametrize(
    ("redirection", "status", "told"),
    [
        ("> /dev/full", 1, "Error: standard output cannot be written: No space left on device\n"),
        (">&-", 0, "mIoU on COCO"),
    ],
)
def test_models_that_cannot_be_printed(redirection: str, status: int, told: str) -> None:
    command = f"{sys.executable} {bentoml_img_segment.__file__} --list {redirection}"
    result = subprocess.run(["bash", "-c", command], stderr=subprocess.PIPE, text=True)
    assert result.returncode == status
    assert result.stderr.startswith(told)
    assert result.stderr.count("\n") == 1


def test_a_pipe_that_nobody_reads_is_left_to_click(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0) as raw:
        monkeypatch.setattr(sys, "stdout", raw)
        with pytest.raises(BrokenPipeError):
            console.print_line(b"a line")
