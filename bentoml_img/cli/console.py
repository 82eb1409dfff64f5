"""How the scripts speak: with people on standard error, data on standard output."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column, Table

from bentoml_img.bundle import BundleError
from bentoml_img.images import ImageError
from bentoml_img.published.weights import WeightsError
from bentoml_img.system.interrupts import end_as_by_ctrl_c
from bentoml_img.video.results import FrameProgress

if TYPE_CHECKING:
    from bentoml_img.published.download import OnProgress

# Without markup: a file name may have brackets.
console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)

OWN = {"bentoml_img", "bentoml_run", "services"}  # there in every installation


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


@contextmanager
def download_bar(what: str) -> "Iterator[OnProgress]":
    """A bar for one download, which appears with its first bytes."""
    columns = (_description(), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bar = Progress(*columns, TimeRemainingColumn(), console=console)
    task = bar.add_task(what, total=None)

    def on_progress(done: int, total: int | None) -> None:
        bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield on_progress
    finally:
        if bar.live.is_started:
            bar.stop()


@contextmanager
def work_bar() -> Iterator[Progress]:
    """Bars for files and frames, on a terminal only; a task's `speed` is shown behind its bar."""
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[speed]}"))
    with Progress(
        _description(),
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=False,  # or what is piped would go to the terminal
    ) as bar:
        yield bar


def _description() -> TextColumn:
    return TextColumn("{task.description}", markup=False)


@contextmanager
def cleared(bar: Progress) -> Iterator[None]:
    """Hide the bar while the block prints to standard output, which may be the same terminal."""
    bar.stop()
    try:
        yield
    finally:
        bar.start()


def training_bar(console: Console) -> Progress:
    """A bar for tasks that have a description and the field `note`."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(20),
        MofNCompleteColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
        console=console,
        speed_estimate_period=300,
    )


@contextmanager
def frames_bar(bar: Progress, name: str) -> Iterator[Callable[[FrameProgress], None]]:
    """A bar for one video, moved by what this yields; at the end a line says how fast it was."""
    task = bar.add_task(name, total=None, speed="")
    last: FrameProgress | None = None

    def on_progress(progress: FrameProgress) -> None:
        nonlocal last
        last = progress
        left = progress.seconds_left
        ending = "" if left is None else f", {timedelta(seconds=round(left))} left"
        rate = f"{progress.per_second:.1f} frames/s"
        bar.update(task, completed=progress.done, total=progress.total, speed=rate + ending)

    try:
        yield on_progress
    finally:
        bar.remove_task(task)
        if last:
            console.print(f"{name}: {last.done} frames, {last.per_second:.1f} frames/s")


@contextmanager
def _printing() -> Iterator[None]:
    """ClickException if standard output cannot be written, but for a pipe that nobody reads."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        with suppress(OSError):
            sys.stdout.close()  # or Python writes once more, at its end
        message = f"standard output cannot be written: {error.strerror}"
        raise click.ClickException(message) from error


def print_line(line: str | bytes) -> None:
    """Print a line to standard output."""
    with _printing():
        click.echo(line)


def print_table(table: Table) -> None:
    """Print a table to standard output, as wide as it needs to be where that is no terminal."""
    on_terminal = sys.stdout and sys.stdout.isatty()
    with _printing():
        Console(highlight=False, width=None if on_terminal else 120).print(table)


def tell_table(table: Table) -> None:
    """Print a table to standard error, as wide as it needs to be where that is no terminal.

    On a terminal it becomes narrower, but no column gets less than its `min_width`.
    """
    needs = console.measure(table, options=console.options.update_width(sys.maxsize))
    shown = max(console.width, needs.minimum) if console.is_terminal else needs.maximum
    table.width = min(shown, needs.maximum)
    console.print(table)
