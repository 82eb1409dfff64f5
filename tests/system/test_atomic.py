import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bentoml_img.input_files import inputs_of
from bentoml_img.system.atomic import replacing, replacing_folder, write

HALF_A_FILE = """
import os, sys
from pathlib import Path
from bentoml_img.system.atomic import replacing
with replacing(Path(sys.argv[1])) as part:
    part.write_text("half")
    os.kill(os.getpid(), 9)
"""
HALF_A_FOLDER = """
import os, sys
from pathlib import Path
from bentoml_img.system.atomic import replacing_folder
with replacing_folder(Path(sys.argv[1])) as part:
    (part / "half").touch()
    os.kill(os.getpid(), 9)
"""
ONE_MOVE = """
import os, sys
from pathlib import Path
from bentoml_img.system.atomic import replacing_folder
replace = os.replace
def move_and_die(source, target):
    replace(source, target)
    os.kill(os.getpid(), 9)
os.replace = move_and_die
with replacing_folder(Path(sys.argv[1])) as part:
    (part / "after").touch()
"""


def killed(program: str, path: Path) -> None:
    """Let a process begin to write that is killed on the way."""
    done = subprocess.run([sys.executable, "-c", program, str(path)])
    assert done.returncode == -signal.SIGKILL


def test_a_file_is_replaced_at_the_end_of_the_block(tmp_path: Path) -> None:
    path = tmp_path / "answer.txt"
    path.write_text("before")
    with replacing(path) as part:
        part.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_may_be_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    for name in ("x" * 255, "ü" * 127):
        path = tmp_path / name
        with replacing(path) as part:
            part.write_text("after")
        assert path.read_text() == "after"


def test_a_file_stays_as_it_was_where_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "answer.txt"
    path.write_text("before")

    def write_half() -> None:
        with replacing(path) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "answer.txt"
    with replacing(path) as one:
        one.write_text("one")
        with replacing(path) as other:
            other.write_text("other")
        assert path.read_text() == "other"
    assert path.read_text() == "one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_has_the_rights_that_others_have(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    path = write(tmp_path / "answer.txt", b"42")
    assert stat.filemode(path.stat().st_mode) == stat.filemode((tmp_path / "other").stat().st_mode)


@pytest.mark.parametrize("program", [HALF_A_FILE, HALF_A_FOLDER])
@pytest.mark.parametrize("old", [True, False])
def test_what_a_killed_process_left_is_no_result_and_goes_a_day_later(
    program: str, old: bool, tmp_path: Path
) -> None:
    killed(program, tmp_path / "photo.jpg")
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".photo.jpg.")
    assert inputs_of(tmp_path) == []
    if old:
        os.utime(left, (0, 0))
    write(tmp_path / "other.jpg", b"")
    assert left.exists() != old


def test_what_others_call_a_part_stays(tmp_path: Path) -> None:
    part = tmp_path / ".photo.jpg.part"
    part.touch()
    os.utime(part, (0, 0))
    write(tmp_path / "other.jpg", b"")
    assert part.exists()


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "answer.txt"
    assert write(path, b"42") == path
    assert path.read_bytes() == b"42"


def fill(folder: Path, content: str) -> None:
    with replacing_folder(folder) as part:
        (part / content).touch()


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_folder_is_replaced_at_the_end_of_the_block(tmp_path: Path) -> None:
    fill(tmp_path / "bundle", "before")
    fill(tmp_path / "bundle", "after")
    assert names(tmp_path / "bundle") == ["after"]
    assert names(tmp_path) == ["bundle"]


def test_a_folder_stays_as_it_was_where_filling_it_fails(tmp_path: Path) -> None:
    fill(tmp_path / "bundle", "before")
    with pytest.raises(FileNotFoundError):
        fill(tmp_path / "bundle", "no/such")
    assert names(tmp_path / "bundle") == ["before"]
    assert names(tmp_path) == ["bundle"]


@pytest.mark.parametrize("move", [1, 2])
def test_an_interrupt_while_folders_change_places_loses_none(
    move: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "bundle", "before")
    replace, moves = os.replace, iter(range(1, 9))

    def interrupted(source: Path, target: Path) -> None:
        if next(moves) == move:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "bundle", "after")
    assert names(tmp_path / "bundle") == ["before"]
    assert names(tmp_path) == ["bundle"]


def test_writers_of_one_folder_do_not_meet(tmp_path: Path) -> None:
    with replacing_folder(tmp_path / "bundle") as one:
        (one / "one").touch()
        fill(tmp_path / "bundle", "other")
        assert names(tmp_path / "bundle") == ["other"]
    assert names(tmp_path / "bundle") == ["one"]
    assert names(tmp_path) == ["bundle"]


def test_a_writer_who_comes_between_two_moves_gives_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the one that he came between: his is the later end."""
    fill(tmp_path / "bundle", "before")
    replace = os.replace

    def slow(source: Path, target: Path) -> None:
        replace(source, target)
        monkeypatch.setattr(os, "replace", replace)
        fill(tmp_path / "bundle", "between")

    monkeypatch.setattr(os, "replace", slow)
    fill(tmp_path / "bundle", "after")
    assert names(tmp_path / "bundle") == ["after"]
    assert names(tmp_path) == ["bundle"]


def test_what_a_crash_between_two_moves_left_is_put_back_first(tmp_path: Path) -> None:
    fill(tmp_path / "bundle", "before")
    fill(tmp_path / "bundle.v2", "another")
    killed(ONE_MOVE, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
    fill(tmp_path / "bundle.v2", "another")
    with pytest.raises(FileNotFoundError):
        fill(tmp_path / "bundle", "no/such")
    assert names(tmp_path / "bundle") == ["before"]
    assert names(tmp_path / "bundle.v2") == ["another"]
