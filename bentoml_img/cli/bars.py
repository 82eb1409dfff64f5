"""Bars on standard error that show how far the work is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

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
from rich.table import Column

from bentoml_img.cli.console import console
from bentoml_img.video.results import FrameProgress

if TYPE_CHECKING:
    from bentoml_img.published.download import OnProgress


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
