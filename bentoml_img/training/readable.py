"""Replaces photos that cannot be read by others, so that a run goes on."""

import functools
import logging
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeVar

from bentoml_img.training.errors import DatasetError, UnusableFile

log = logging.getLogger(__name__)

Choice = TypeVar("Choice")
Loaded = TypeVar("Loaded")

MOST = 10  # unusable files in a row


def first_readable(choices: Iterator[Choice], load: Callable[[Choice], Loaded]) -> Loaded:
    """The result of `load` for the first choice for which it raises no UnusableFile.

    `choices` is endless. Each file that cannot be used is logged once. DatasetError after ten
    of them in a row.
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
