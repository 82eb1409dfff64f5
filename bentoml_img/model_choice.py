"""What --model takes: a name of the zoo, or the folder of a bundle of one's own."""

from pathlib import Path

import click

from bentoml_img.bundle import MANIFEST, BundleError, read_manifest
from bentoml_img.catalogue import names_of


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
