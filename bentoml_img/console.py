"""How the scripts speak: with people on standard error, data on standard output."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.tree import Tree

from bentoml_img.bundle import BundleError
from bentoml_img.images import ImageError
from bentoml_img.weights import OnProgress, WeightsError

if TYPE_CHECKING:
    from bentoml_img.packaging import PackagedBento

console = Console(stderr=True, highlight=False, soft_wrap=True)

# Packages that not every installation has.
OPTIONAL = {"av", "matplotlib", "pycocotools", "safetensors", "torch", "torchvision"}


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
    columns = (TextColumn(what), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bar = Progress(*columns, TimeRemainingColumn(), console=console)
    task = bar.add_task("", total=None)

    def on_progress(done: int, total: int | None) -> None:
        bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield on_progress
    finally:
        if bar.live.is_started:
            bar.stop()


def show_packaged(bento: "PackagedBento", photo: str) -> None:
    """Where a Bento is, its tree, and what to do next; its tag goes to standard output."""
    console.print(_tree(bento.path, bento.tag))
    console.print(f"{bento.tag} is in {bento.path}")
    latest = f"{bento.name}:latest"
    for command in (
        f"bentoml run {latest} predict --input-file={photo}",
        f"bentoml serve {latest}",
        f"bentoml containerize {latest}",
    ):
        console.print(f"  {command}")
    click.echo(bento.tag)


def _tree(folder: Path, name: str) -> Tree:
    tree = Tree(name)
    for path in sorted(folder.iterdir()):
        tree.add(_tree(path, path.name) if path.is_dir() else path.name)
    return tree
