"""How the scripts speak: with people on standard error, data on standard output."""

import math
import os
import sys
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
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
from rich.table import Table
from rich.tree import Tree

from bentoml_img.bundle import BundleError
from bentoml_img.images import ImageError
from bentoml_img.video.results import Speed
from bentoml_img.weights import OnProgress, WeightsError

if TYPE_CHECKING:
    from bentoml_img.packaging import PackagedBento

# Without markup: a file name may have brackets.
console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)

# Packages that not every installation has.
OPTIONAL = {"av", "lap", "matplotlib", "nncf", "pycocotools", "safetensors", "torch", "torchvision"}


class FiniteRange(click.FloatRange):
    """Numbers in a range, which infinity and nan are not in."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


class InputPath(click.Path[Path]):
    """A file or a folder that is there, and no stream of bytes."""

    def __init__(self, *, dir_okay: bool = True) -> None:
        super().__init__(exists=True, dir_okay=dir_okay, path_type=Path)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Path:
        stream = os.path.exists(value) and not (os.path.isfile(value) or os.path.isdir(value))
        if stream or os.fspath(value) in ("-", "/dev/stdin"):
            what = "photos and films are not read from standard input; save it first"
            self.fail(f"{value} is no file: {what}", param, ctx)
        return super().convert(value, param, ctx)


def given(context: click.Context, names: Container[str]) -> str | None:
    """The first of the parameters `names` that is on the command line, as it is written there."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in names and source is ParameterSource.COMMANDLINE:
            return parameter.opts[0]
    return None


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
        if error.name not in OPTIONAL:
            raise
        message = f"{error.name} is not installed: pip install -e '.[{extra}]'"
        raise click.ClickException(message) from error


@contextmanager
def download_bar(what: str) -> Iterator[OnProgress]:
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
    """Without the bar, to print to standard output, which may be the same terminal."""
    bar.stop()
    try:
        yield
    finally:
        bar.start()


@contextmanager
def frames_bar(bar: Progress, name: str) -> Iterator[Callable[[Speed], None]]:
    """One film's bar, to be told how far it is; a line says at the end how fast that was."""
    task = bar.add_task(name, total=None, speed="")
    last: Speed | None = None

    def on_progress(speed: Speed) -> None:
        nonlocal last
        last = speed
        left = speed.seconds_left
        ending = "" if left is None else f", {timedelta(seconds=round(left))} left"
        rate = f"{speed.per_second:.1f} frames/s"
        bar.update(task, completed=speed.done, total=speed.total, speed=rate + ending)

    try:
        yield on_progress
    finally:
        bar.remove_task(task)
        if last:
            console.print(f"{name}: {last.done} frames, {last.per_second:.1f} frames/s")


def counts_table(summary: Mapping[str, Any]) -> Table:
    """What was counted in a film, by class, from its summary."""
    columns: dict[str, Mapping[str, int]] = {"counted": summary["counts"]}
    for line, ways in summary["crossings"].items():
        columns |= {f"{line} {way}": counts for way, counts in ways.items()} or {line: {}}
    for zone, counts in summary["zones"].items():
        columns |= {f"{zone} {way}": counts[way] for way in ("entered", "left")}
    table = Table("class", *columns)
    for label in sorted(set().union(*columns.values())):
        table.add_row(label, *(str(counts.get(label, 0)) for counts in columns.values()))
    return table


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
    """To standard output."""
    with _printing():
        click.echo(line)


def print_table(table: Table) -> None:
    """To standard output, as wide as it needs to be where that is no terminal."""
    on_terminal = sys.stdout and sys.stdout.isatty()
    with _printing():
        Console(highlight=False, width=None if on_terminal else 120).print(table)


def package_and_show(bundle: Path, engine: str, precision: str, photo: str) -> None:
    """Package a bundle as a Bento, and say what to do with it, on `photo` to begin with.

    BundleError if that cannot be, for the bundle or for the place where Bentos are.
    """
    from bentoml.exceptions import BentoMLException

    from bentoml_img.packaging import package

    console.print("packaging")
    try:
        bento = package(bundle, engine, precision)
    except (OSError, BentoMLException) as error:
        raise BundleError(f"cannot package {bundle.name}: {error}") from error
    show_packaged(bento, photo)


def show_packaged(bento: "PackagedBento", photo: str) -> None:
    """Where a Bento is, its tree, and what to do next; its tag goes to standard output."""
    console.print(_tree(bento.path, bento.tag, levels=2))
    console.print(f"{bento.tag} is in {bento.path}")
    latest = f"{bento.name}:latest"
    for command in (
        f"bentoml run {latest} predict --input-file={photo}",
        f"bentoml serve {latest} --host 127.0.0.1",
        f"bentoml containerize {latest}",
    ):
        console.print(f"  {command}")
    print_line(bento.tag)


def _tree(folder: Path, name: str, levels: int) -> Tree:
    """A folder's contents; of a folder below so many levels the number of its files."""
    tree = Tree(name)
    for path in sorted(folder.iterdir()):
        if path.is_file():
            tree.add(path.name)
        elif levels > 1:
            tree.add(_tree(path, f"{path.name}/", levels - 1))
        else:
            files = sum(file.is_file() for file in path.rglob("*"))
            tree.add(f"{path.name}/ ({files} {'file' if files == 1 else 'files'})")
    return tree
