"""What --model takes, a name of the zoo or the folder of a bundle of one's own; and --list not."""

from pathlib import Path

import click

from bentoml_img.bundle import MANIFEST, BundleError, read_manifest
from bentoml_img.catalogue import names_of
from bentoml_img.console import given

CHOICES = ("model", "models", "weights", "weights_url", "engine", "precision")


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
