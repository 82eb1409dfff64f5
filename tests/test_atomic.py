import os
from pathlib import Path

import pytest

from bentoml_img.atomic import beside, folder_beside, write


def test_a_file_is_replaced_at_the_end_of_the_block(tmp_path: Path) -> None:
    path = tmp_path / "answer.txt"
    path.write_text("before")
    with beside(path) as part:
        part.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_may_be_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    for name in ("x" * 255, "ü" * 127):
        path = tmp_path / name
        with beside(path) as part:
            part.write_text("after")
        assert path.read_text() == "after"


def test_a_file_stays_as_it_was_where_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "answer.txt"
    path.write_text("before")

    def write_half() -> None:
        with beside(path) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "answer.txt"
    assert write(path, b"42") == path
    assert path.read_bytes() == b"42"


def fill(folder: Path, content: str) -> None:
    with folder_beside(folder) as part:
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


def test_what_a_crash_left_is_put_back_first(tmp_path: Path) -> None:
    (tmp_path / "bundle.old").mkdir()
    (tmp_path / "bundle.old" / "before").touch()
    with pytest.raises(FileNotFoundError):
        fill(tmp_path / "bundle", "no/such")
    assert names(tmp_path / "bundle") == ["before"]
