import io
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import pytest
from rich.table import Table

import bentoml_img_detect
import bentoml_img_segment
from bentoml_img.cli import console
from bentoml_img.cli.each import Done, do_each

PRINTERS = (
    partial(console.print_line, "a line"),
    partial(console.print_table, Table("a column")),
    partial(do_each, [Path("a.jpg")], lambda *_: Done([b"a_result.jpg"])),
)


@pytest.mark.parametrize("write", PRINTERS)
def test_a_standard_output_that_takes_nothing(
    write: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(click.ClickException) as error:
            write()
    assert str(error.value) == "standard output cannot be written: No space left on device"


@pytest.mark.parametrize("option", ["--list", "--help", "--version"])
@pytest.mark.parametrize(
    ("redirection", "status", "told"),
    [
        ("> /dev/full", 1, "Error: standard output cannot be written: No space left on device\n"),
        (">&-", 1, "Error: standard output is closed\n"),
    ],
)
def test_what_is_asked_of_a_script_and_cannot_be_printed(
    option: str, redirection: str, status: int, told: str
) -> None:
    command = f"{sys.executable} {bentoml_img_segment.__file__} {option} {redirection}"
    result = subprocess.run(["bash", "-c", command], stderr=subprocess.PIPE, text=True)
    assert result.returncode == status
    assert result.stderr.startswith(told)
    assert result.stderr.count("\n") == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("width", "has_frame"), [("40", False), ("80", False), ("120", True)])
def test_words_of_a_table_are_whole_however_narrow_a_terminal_is(
    width: str, has_frame: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", width)
    table = Table("model", "parameters", "weights")
    table.add_row(
        "deeplabv3_mobilenet_v3_large", "11.0 M", "to download, or from a file of one's own"
    )
    console.print_table(table)
    *_, row = (line for line in terminal.getvalue().splitlines() if "M" in line)
    cells = "deeplabv3_mobilenet_v3_large", "11.0 M", "to download, or from a file of one's own"
    between = " │ " if has_frame else " "
    assert between.join(cells) in " ".join(row.split())


@pytest.mark.parametrize("option", ["--list", "--help"])
def test_a_terminal_of_an_older_encoding(option: str) -> None:
    command = [sys.executable, bentoml_img_detect.__file__, option]
    latin = os.environ | {"PYTHONIOENCODING": "latin-1"}
    result = subprocess.run(command, env=latin, capture_output=True, check=True)
    assert b"?" in result.stdout
    assert b"Error" not in result.stderr


def test_an_error_of_another_file_is_not_of_standard_output() -> None:
    with pytest.raises(FileNotFoundError), console.printing():
        Path("no_such_file").read_bytes()


def test_a_pipe_that_nobody_reads_is_left_to_click(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0) as raw:
        monkeypatch.setattr(sys, "stdout", raw)
        with pytest.raises(BrokenPipeError):
            console.print_line(b"a line")
