"""Make a bundle ready for int8 or bf16, if that costs little accuracy."""

import json
from pathlib import Path

import click
from PIL import Image

from bentoml_img.cli.errors import PlainCommand, plain_ending
from bentoml_img.cli.options import FOLDER, HELP
from bentoml_img.engines import PRECISIONS
from bentoml_img.file_errors import FileError, reading
from bentoml_img.file_kinds import PHOTOS
from bentoml_img.images import read_rgb
from bentoml_img.input_files import inputs_of
from bentoml_img.training.errors import DatasetError
from bentoml_img.training.evenly import evenly
from bentoml_img.training.extra import importing_extra

with importing_extra():
    from bentoml_img.training.reduced_precision.reduction import reduce

MAX_PHOTOS = 100


@click.command(cls=PlainCommand, context_settings=HELP)
@click.argument("bundle", type=FOLDER)
@click.option("--precision", type=click.Choice(PRECISIONS[1:]), default="int8", show_default=True)
@click.option(
    "--photos",
    type=FOLDER,
    required=True,
    help="Half of them are to calibrate int8 with, half to compare labels and speed on.",
)
@click.option("--data", type=FOLDER, required=True, help="What to measure the accuracy on.")
@click.pass_context
def main(context: click.Context, bundle: Path, precision: str, photos: Path, data: Path) -> None:
    """Make BUNDLE ready for int8 or bf16, if that costs little accuracy."""
    with plain_ending(context, "train", DatasetError, FileError, OSError):
        click.echo(json.dumps(reduce(bundle, precision, read_photos(photos), data)))


def read_photos(folder: Path) -> list[Image.Image]:
    """At most MAX_PHOTOS of a folder's photos, evenly spaced; DatasetError if fewer than two."""
    paths = [path for path in inputs_of(folder) if path.suffix.lower() in PHOTOS]
    if len(paths) < 2:
        raise DatasetError(f"{folder} has {len(paths)} photos: two are the least")
    photos = []
    for path in evenly(paths, MAX_PHOTOS):
        with reading(path):
            photos.append(read_rgb(path))
    return photos
