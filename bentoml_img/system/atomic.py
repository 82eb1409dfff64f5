"""Files and folders that are there as a whole, or as they were before.

Several may write the same at a time: each has a name of its own, and what is done
last stays. These names are hidden, and no longer than a file system takes; their
suffix says nothing about the content.
"""

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

LONGEST_NAME = 255  # bytes, in most file systems
ABANDONED = 24 * 3600.0  # seconds without a change from which on nobody is at work on it any more

_TOKEN = "[0-9a-f]{16}"  # noqa: S105 - no password
_PART = re.compile(rf"\..+\.{_TOKEN}\.part")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, in the folder of `path`, whose place it takes at the end of the block.

    If the block raises, nothing is left of it.
    """
    with scratch_beside(path) as part:
        yield part
        os.replace(part, path)


@contextmanager
def scratch_beside(path: Path) -> Iterator[Path]:
    """A path to write to, in the folder of `path`; at the end of the block nothing is left of it.

    What a process that was killed left is deleted, a day later, by the next one that
    writes into the folder.
    """
    _sweep(path.parent)
    part = path.with_name(_hidden(path.name, secrets.token_hex(8), "part"))
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """An empty folder to fill, which takes the place of `folder` at the end of the block.

    If the block raises, `folder` stays as it was. It may be given as `.`, which has no name.
    """
    folder = folder.resolve()
    _sweep(folder.parent)
    _put_back(folder)
    part = folder.with_name(_hidden(folder.name, secrets.token_hex(8), "part"))
    part.mkdir(parents=True)
    try:
        yield part
        _exchange(part, folder)
    finally:
        _put_back(folder)
        shutil.rmtree(part, ignore_errors=True)


def write(path: Path, content: bytes) -> Path:
    """Write a file, and its folder if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_bytes(content)
    return path


def _hidden(name: str, token: str, suffix: str) -> str:
    hidden = f".{name}.{token}.{suffix}"
    fits = len(os.fsencode(hidden)) <= LONGEST_NAME
    return hidden if fits else f".{name[-48:]}.{token}.{suffix}"


def _exchange(part: Path, folder: Path) -> None:
    """Move `folder` aside and `part` to its place; again if another one was quicker."""
    while True:
        with suppress(FileNotFoundError):
            os.replace(folder, folder.with_name(_hidden(folder.name, secrets.token_hex(8), "old")))
        try:
            os.replace(part, folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return


def _put_back(folder: Path) -> None:
    """Move what was moved aside back if its place is empty, else delete it.

    So a crash between two moves loses nothing. A writer who is just there moves once more.
    """
    start, _, end = _hidden(folder.name, "/" * 16, "old").partition("/" * 16)
    old = re.compile(re.escape(start) + _TOKEN + re.escape(end))
    for path in folder.parent.glob(".*.old"):
        if old.fullmatch(path.name):
            if not folder.exists():
                with suppress(OSError):  # another one was quicker
                    os.replace(path, folder)
            shutil.rmtree(path, ignore_errors=True)


@lru_cache(maxsize=64)
def _sweep(folder: Path) -> None:
    """Delete the abandoned parts in a folder. Once a process: there may be very many files."""
    with suppress(OSError):  # it is not there yet, or cannot be read
        for entry in os.scandir(folder):
            if _PART.fullmatch(entry.name) and _is_abandoned(entry):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    Path(entry.path).unlink(missing_ok=True)


def _is_abandoned(entry: os.DirEntry[str]) -> bool:
    return time.time() - entry.stat(follow_symlinks=False).st_mtime > ABANDONED
