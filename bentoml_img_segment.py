"""Choose a segmentation model and package it as a Bento; or use it here and now."""

import json
import os
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bentoml_img import zoo
from bentoml_img.apply import Unreadable, apply, inputs_of
from bentoml_img.bundle import read_manifest
from bentoml_img.compare import side_by_side, timed_masks
from bentoml_img.console import console, download_bar, plain_errors, show_packaged
from bentoml_img.engines import ENGINES
from bentoml_img.images import encode_jpeg
from bentoml_img.labels import PALETTES
from bentoml_img.segment import Segmenter
from bentoml_img.shelf import bundle_of, is_at_hand

MODELS = tuple(entry.name for entry in zoo.ZOO.values() if entry.task == "segmentation")
DEFAULT = "deeplabv3_lite"
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--model",
    "models",
    type=click.Choice(MODELS),
    multiple=True,
    metavar="NAME",
    help=f"See --list; several to compare. Default: {DEFAULT}, or all at hand to compare.",
)
@click.option("--list", "listed", is_flag=True, help="Print the models that can be chosen.")
@click.option(
    "--compare", "compared", type=FILE, metavar="PHOTO", help="Draw the models side by side."
)
@click.option(
    "--apply",
    "applied",
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH",
    help="Write masks and overlays of a photo, or of all photos in a folder.",
)
@click.option(
    "--evaluate",
    "data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DATA",
    help="Print the mIoU on DATA/VOCdevkit and DATA/coco as JSON.",
)
@click.option(
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="For pictures. Default: beside the input.",
)
@click.option("--weights", type=FILE, help="A .pth file for an official model.")
@click.option("--weights-url", metavar="URL", help="A mirror of the official weights.")
@click.option("--palette", type=click.Choice(list(PALETTES)), default="voc", show_default=True)
@click.option("--engine", type=click.Choice(ENGINES), default="auto", show_default=True)
@click.pass_context
def main(
    context: click.Context,
    models: tuple[str, ...],
    listed: bool,
    compared: Path | None,
    applied: Path | None,
    data: Path | None,
    output_dir: Path | None,
    weights: Path | None,
    weights_url: str | None,
    palette: str,
    engine: str,
) -> None:
    """Package a segmentation model as the Bento PytorchImageSegment."""
    if sum(map(bool, (listed, compared, applied, data))) > 1:
        raise click.UsageError("--list, --compare, --apply and --evaluate: give one of them")
    if len(models) > 1 and not compared:
        raise click.UsageError("several models can be compared only")
    try:
        with plain_errors("torch"):
            if listed:
                _list()
                return
            names = models or ([n for n in MODELS if is_at_hand(n)] if compared else [DEFAULT])
            bundles = {name: _bundle(name, weights, weights_url) for name in names}
            if not (compared or applied or data):
                _package(bundles[names[0]], engine)
                return
            segmenters = {n: Segmenter.from_bundle(b, engine) for n, b in bundles.items()}
            if compared:
                _compare(compared, segmenters, palette, output_dir)
            elif applied:
                context.exit(_apply(applied, segmenters[names[0]], palette, output_dir))
            elif data:
                _evaluate(segmenters[names[0]], data)
    except KeyboardInterrupt:
        context.exit(130)


def _bundle(name: str, weights: Path | None, url: str | None) -> Path:
    with download_bar(name) as on_progress:
        return bundle_of(name, weights, url, on_progress)


def _list() -> None:
    """A table of the models; what is not known stays empty."""
    table = Table("model", "mIoU", "of", "parameters", "GFLOPs", "MB", "photo's side", "weights")
    for name in MODELS:
        entry = zoo.find(name)
        published, transform = entry.published, entry.transform
        if published:
            miou, of = f"{published.miou:.3f}", "COCO val2017, published"
            size = (f"{published.parameters / 1e6:.1f} M", f"{published.gflops:.1f}")
            megabytes = f"{published.megabytes:.0f}"
        else:
            bundle = bundle_of(name)
            scores = read_manifest(bundle).scores
            miou, of = f"{scores['coco_val_miou']:.3f}", "258 photos of COCO val2017"
            size = (f"{scores['parameters'] / 1e6:.1f} M", f"{scores['gflops']:.1f}")
            megabytes = f"{sum(f.stat().st_size for f in bundle.glob('*.safetensors')) / 1e6:.0f}"
        where = "to download" if published else "shipped"
        side = str(transform.input_size[0]) if transform else ""
        here = "at hand" if published and is_at_hand(name) else where
        table.add_row(name, miou, of, *size, megabytes, side, here)
    Console(highlight=False).print(table)


def _compare(
    photo: Path, segmenters: dict[str, Segmenter], palette: str, output_dir: Path | None
) -> None:
    masks = timed_masks(photo.read_bytes(), segmenters, palette)
    folder = output_dir or photo.parent
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{photo.stem}_compare.jpg"
    temporary = target.with_name(target.name + ".part")
    temporary.write_bytes(encode_jpeg(side_by_side(photo.read_bytes(), masks)))
    os.replace(temporary, target)
    for name, timed in masks.items():
        console.print(f"{name}: {timed.milliseconds:.0f} ms")
    click.echo(target)


def _apply(path: Path, segmenter: Segmenter, palette: str, output_dir: Path | None) -> int:
    """Mask each photo; those that cannot be read are named at the end. The exit status."""
    inputs = inputs_of(path)
    if not inputs:
        raise click.ClickException(f"no pictures in {path}")
    failed = []
    many = sys.stderr.isatty() and len(inputs) > 1
    for photo in track(inputs, "photos", console=console, disable=not many):
        try:
            for written in apply(photo, segmenter, palette, output_dir or photo.parent):
                click.echo(written)
        except Unreadable as error:
            failed.append(error)
    for error in failed:
        click.echo(f"Error: {error}", err=True)
    return 1 if failed else 0


def _evaluate(segmenter: Segmenter, data: Path) -> None:
    with plain_errors("train"):
        from bentoml_img.training.segmentation_data import DatasetError
        from bentoml_img.training.segmentation_scores import figures

    with plain_errors("train", DatasetError):
        for figure in figures(segmenter, data, console):
            click.echo(json.dumps(figure))


def _package(bundle: Path, engine: str) -> None:
    from bentoml_img.packaging import package

    console.print("packaging")
    show_packaged(package(bundle, engine), photo="images/street.jpg")


if __name__ == "__main__":
    main()
