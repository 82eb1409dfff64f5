"""Locks on files and folders, between threads and processes.

The system takes a lock back when the process that holds it dies, in whatever way.
"""

import fcntl
import os
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path


def exclusive(path: Path) -> AbstractContextManager[object]:
    """Wait until nobody else has the lock, and hold it until the end of a `with` block.

    A file that is not there is made, with its folder.
    """
    return _locked(path, fcntl.LOCK_EX)


def try_exclusive(path: Path) -> ExitStack | None:
    """The lock as `exclusive` gives it, until it is closed; None if somebody has it."""
    try:
        return _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


def is_locked(path: Path) -> bool:
    """Whether somebody has the exclusive lock on a file; nobody has where there is none."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _locked(path: Path, how: int) -> ExitStack:
    """The lock, to be closed: again if whoever had it took the file away meanwhile."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
        with suppress(FileNotFoundError), ExitStack() as lock:
            descriptor = os.open(path, flags, 0o666)
            lock.callback(os.close, descriptor)
            fcntl.flock(descriptor, how)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return lock.pop_all()
