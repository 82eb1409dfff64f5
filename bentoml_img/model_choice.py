"""The options that choose a model, and how it computes: the same for all scripts."""

from pathlib import Path
from typing import TypeVar

import click

from bentoml_img.bundle import MANIFEST, BundleError, read_manifest
from bentoml_img.catalogue import names_of
from bentoml_img.console import given
from bentoml_img.engines import ENGINES, PRECISIONS

SOURCES = ("weights", "weights_url")  # of weights
CHOICES = ("model", "models", *SOURCES, "engine", "precision")
T = TypeVar("T")


def _only_one(context: click.Context, param: click.Parameter, value: T) -> T:
    """UsageError if the weights come from a file and from a mirror."""
    if value and any(context.params.get(name) for name in SOURCES if name != param.name):
        raise click.UsageError("--weights and --weights-url: give one of them")
    return value


list_option = click.option(
    "--list", "listed", is_flag=True, help="Print the models that can be chosen."
)
weights_option = click.option(
    "--weights",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=_only_one,
    help="A .pth file for an official model.",
)
weights_url_option = click.option(
    "--weights-url", metavar="URL", callback=_only_one, help="A mirror of the official weights."
)
engine_option = click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="auto",
    show_default=True,
    help="What it computes with.",
)
precision_option = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="fp32",
    show_default=True,
    help="What it computes in; bf16 and int8 need a bundle that is made ready for them.",
)


class ModelChoice(click.ParamType[str]):
    """A model for a task, as `bentoml_img.shelf.bundle_of` takes it."""

    name = "model"

    def __init__(self, task: str) -> None:
        self.task = task

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        names = names_of(self.task)
        if value in names:
            return value
        if not Path(value, MANIFEST).is_file():
            self.fail(
                f"{value!r} is no bundle's folder, and none of {', '.join(names)}", param, ctx
            )
        try:
            task = read_manifest(Path(value)).task
        except BundleError as error:
            self.fail(str(error), param, ctx)
        if task != self.task:
            self.fail(f"{value} is a bundle for {task}", param, ctx)
        return value


def refuse_choice(context: click.Context) -> None:
    """UsageError if an option says which model, or how it computes: --list prints them all."""
    if unused := given(context, CHOICES):
        raise click.UsageError(f"{unused} chooses a model, and --list prints them all")
