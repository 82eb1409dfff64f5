"""What ends a run early: one line on standard error and an exit status."""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import partial

import click


class Failure(click.ClickException):
    """Something asked for correctly did not work (exit status 1)."""

    exit_code = 1


class WrongUsage(click.ClickException):
    """Something was asked for that is not there or makes no sense (exit status 2)."""

    exit_code = 2


def one_line(error: BaseException) -> str:
    """The first line of an error's text, after its class where that says more than the text."""
    from bentoml.exceptions import BentoMLException

    text = next(iter(str(error).strip().splitlines()), "")
    if isinstance(error, BentoMLException | click.ClickException) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def reason(error: OSError) -> str:
    """Why the system refused, in its own words, without the name of the file."""
    return error.strerror or one_line(error)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence with the names nearest to a word, capitals aside; empty where none is near."""
    by_lower = {name.lower(): name for name in known}
    nearest = partial(get_close_matches, word.lower(), by_lower)
    near = [by_lower[name] for name in nearest(cutoff=0.8) or nearest(cutoff=0.5)]
    return f" Did you mean {' or '.join(near)}?" if near else ""
