"""Photos that cannot be read: others take their place, and a run goes on."""

import functools
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeVar

from bentoml_img.cli.console import console
from bentoml_img.training.dataset import DatasetError, UnusableFile

Choice = TypeVar("Choice")
Loaded = TypeVar("Loaded")

MOST = 10  # in a row: so many are no accident


def first_readable(choices: Iterator[Choice], load: Callable[[Choice], Loaded]) -> Loaded:
    """What `load` makes of the first of endless choices for which it raises no UnusableFile.

    The files that cannot be used are named to people, each once. DatasetError
    after ten of them in a row.
    """
    for choice in islice(choices, MOST):
        try:
            return load(choice)
        except UnusableFile as error:
            last = str(error)
            _warn(last)
    raise DatasetError(f"{MOST} files in a row cannot be used, the last of them: {last}")


@functools.cache
def _warn(message: str) -> None:
    """Cached, so that each message is printed once."""
    console.print(f"warning: {message}; another takes its place")
