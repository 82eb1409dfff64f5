"""Files and folders that are there as a whole, or as they were before."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST_NAME = 255  # bytes, in most file systems


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A path to write to, in the folder of `path`, whose place it takes at the end of the block.

    If the block raises, nothing is left of it. Its name is hidden, and no longer than
    a file system takes; its suffix says nothing about its content.
    """
    part = path.with_name(_hidden(path.name))
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _hidden(name: str) -> str:
    part = f".{name}.part"
    return part if len(os.fsencode(part)) <= LONGEST_NAME else f".{name[-48:]}.part"


@contextmanager
def folder_beside(folder: Path) -> Iterator[Path]:
    """The same for a folder, to be filled; it may be given as `.`, which has no name."""
    folder = folder.resolve()
    part, old = (folder.with_name(f"{folder.name}.{what}") for what in ("part", "old"))
    _put_back(old, folder)
    for left in (part, old):
        shutil.rmtree(left, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        if folder.exists():
            os.replace(folder, old)
        os.replace(part, folder)
    finally:
        _put_back(old, folder)
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)


def _put_back(old: Path, folder: Path) -> None:
    if old.exists() and not folder.exists():
        os.replace(old, folder)


def write(path: Path, content: bytes) -> Path:
    """Write a file, and its folder if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with beside(path) as part:
        part.write_bytes(content)
    return path
