"""What is said of files that cannot be read or written."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bentoml_img.images import ImageError
from bentoml_img.system.atomic import write


class FileError(Exception):
    """A file that is no usable picture or video, or a result that cannot be written; the message
    names it.
    """


def named(source: Path, why: str) -> str:
    """What is wrong with a file, named once, by its path; `why` may begin with its name."""
    rest = why.removeprefix(source.absolute().name)
    return f"{source}{rest}" if rest.startswith((" ", ":")) else f"{source}: {why}"


def reason(error: Exception) -> str:
    """What an error says, without a file's name where it comes from the system.

    Of those of a folder's files that could not be copied, what the last one says.
    """
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
        *_, (_, _, last) = error.args[0]
        return str(last)
    return getattr(error, "strerror", None) or str(error)


@contextmanager
def reading(source: Path, *others: type[Exception]) -> Iterator[None]:
    """FileError in place of errors that show that `source` cannot be used, and of `others`."""
    expected: tuple[type[Exception], ...] = (OSError, ImageError, *others)
    try:
        yield
    except expected as error:
        raise FileError(named(source, reason(error))) from error


@contextmanager
def writing(target: Path, *others: type[Exception]) -> Iterator[None]:
    """FileError in place of errors that keep `target` from being written, and of `others`."""
    expected: tuple[type[Exception], ...] = (OSError, *others)
    try:
        yield
    except expected as error:
        message = f"cannot write {target}: {reason(error)}; --output-dir writes elsewhere"
        raise FileError(message) from error


def write_result(target: Path, content: bytes) -> Path:
    """Write a result, and its folder if there is none; FileError if that cannot be."""
    with writing(target):
        return write(target, content)
