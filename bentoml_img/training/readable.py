"""Photos that cannot be read: others take their place, and a run goes on."""

import functools
import logging
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeVar

from bentoml_img.training.errors import DatasetError, UnusableFile

log = logging.getLogger(__name__)

Choice = TypeVar("Choice")
Loaded = TypeVar("Loaded")

MOST = 10  # in a row: so many are no accident


def first_readable(choices: Iterator[Choice], load: Callable[[Choice], Loaded]) -> Loaded:
    """What `load` makes of the first of endless choices for which it raises no UnusableFile.

    The files that cannot be used are logged, each once. DatasetError after ten of
    them in a row.
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
    """Cached, so that each message is logged once."""
    log.warning("%s; another takes its place", message)
