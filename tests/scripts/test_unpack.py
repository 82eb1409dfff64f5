"""What a folder of data sets, and of their archives, becomes."""

import io
import os
import tarfile
from pathlib import Path

import click
import pytest

from scripts.unpack import unpack
from tests.scripts.images import write


def write_archive(path: Path, content: str, inside: str = "") -> None:
    """A data set with one file, which has the name `inside`, if that is given."""
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo(inside or f"{path.stem}/photos.txt")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content.encode()))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "build" / "data"


def sets(target: Path) -> dict[str, str]:
    return {path.parent.name: path.read_text() for path in target.glob("*/photos.txt")}


def test_archives_are_unpacked_and_folders_linked(tmp_path: Path, target: Path) -> None:
    write_archive(tmp_path / "a" / "coco.tar", "of the archive")
    write(tmp_path, "a/coco/photos.txt", "of the folder")
    write(tmp_path, "elsewhere/photos.txt", "streets")
    (tmp_path / "a" / "street").symlink_to(tmp_path / "elsewhere")
    unpack(tmp_path / "a", target)
    assert sets(target) == {"coco": "of the archive", "street": "streets"}
    before = (target / "coco").stat()
    unpack(tmp_path / "a", target)
    assert (target / "coco").stat() == before
    assert [path.name for path in target.parent.iterdir()] == ["data"]


def test_another_folder_has_its_own_sets_only(tmp_path: Path, target: Path) -> None:
    write(tmp_path, "a/coco/photos.txt", "of a")
    write(tmp_path, "a/street/photos.txt", "of a")
    write(tmp_path, "b/coco/photos.txt", "of b")
    write_archive(tmp_path / "c" / "coco.tar", "of c")
    for name in "abcba":
        unpack(tmp_path / name, target)
        assert set(sets(target).values()) == {f"of {name}"}
    assert sets(tmp_path / "b") == {"coco": "of b"}


def test_a_newer_archive_is_unpacked_anew(tmp_path: Path, target: Path) -> None:
    archive = tmp_path / "a" / "coco.tar"
    for content in ("old", "new"):
        write_archive(archive, content)
        os.utime(archive, ns=(0, ord(content[0])))
        unpack(archive.parent, target)
        assert sets(target) == {"coco": content}


def test_an_archive_writes_nothing_outside_of_the_target(tmp_path: Path, target: Path) -> None:
    write_archive(tmp_path / "a" / "coco.tar", "evil", inside="../photos.txt")
    with pytest.raises(tarfile.OutsideDestinationError):
        unpack(tmp_path / "a", target)
    assert [*target.parent.iterdir()] == []


def test_what_is_of_others_stays(tmp_path: Path, target: Path) -> None:
    write(tmp_path, "a/coco/photos.txt", "of a")
    write(target, "coco/photos.txt", "mine")
    unpack(target, target)
    with pytest.raises(click.ClickException, match="has other things in it: remove it"):
        unpack(tmp_path / "a", target)
    assert sets(target) == {"coco": "mine"}
