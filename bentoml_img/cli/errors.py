"""How the scripts end: what a user can mend is said in one line, and Ctrl-C has its own status."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from bentoml_img.bundle import BundleError
from bentoml_img.cli.console import printing
from bentoml_img.images import ImageError
from bentoml_img.published.weights import WeightsError
from bentoml_img.system.interrupts import end_as_by_ctrl_c

OWN = {"bentoml_img", "bentoml_run", "services"}  # there in every installation


class PlainCommand(click.Command):
    """A command that says in one line that its help or version cannot be printed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with printing():
            return super().parse_args(ctx, args)


@contextmanager
def plain_errors(extra: str, *others: type[Exception]) -> Iterator[None]:
    """Say in one line what a user can mend, as click does, and not as a traceback.

    `extra` is the part of the project to install if a package is missing.
    """
    expected: tuple[type[Exception], ...] = (BundleError, WeightsError, ImageError, *others)
    try:
        yield
    except expected as error:
        raise click.ClickException(str(error)) from error
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if not package or package in OWN:
            raise
        message = f"{package} is not installed: pip install -e '.[{extra}]'"
        raise click.ClickException(message) from error


@contextmanager
def usage_errors() -> Iterator[None]:
    """UsageError in place of a ValueError, which says what is wrong with what was given."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from error


@contextmanager
def plain_ending(context: click.Context, extra: str, *others: type[Exception]) -> Iterator[None]:
    """`plain_errors` for a whole command, which Ctrl-C or SIGTERM ends with status 130."""
    end_as_by_ctrl_c()
    try:
        with plain_errors(extra, *others):
            yield
    except KeyboardInterrupt:
        context.exit(130)
