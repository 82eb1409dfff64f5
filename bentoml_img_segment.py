"""Choose a segmentation model and package it as a Bento; or use it here and now."""

if __name__ == "__main__":
    from bentoml_img.system.interrupts import end_at_once_by_ctrl_c

    end_at_once_by_ctrl_c()

from collections.abc import Mapping
from pathlib import Path

import click
from rich.progress import Progress

from bentoml_img import zoo
from bentoml_img.bundle import Bundle
from bentoml_img.cli.bars import download_bar, frames_bar
from bentoml_img.cli.catalogue import catalogue
from bentoml_img.cli.console import console, print_line, print_table
from bentoml_img.cli.each import Done, do_each, shortfall
from bentoml_img.cli.errors import PlainCommand, plain_ending, plain_errors, usage_errors
from bentoml_img.cli.evaluating import print_evaluation
from bentoml_img.cli.options import (
    FOLDER,
    HELP,
    NEW_FOLDER,
    SOURCES,
    InputPath,
    ModelChoice,
    engine_option,
    given,
    list_option,
    precision_option,
    refuse_choice,
    version_option,
    weights_option,
    weights_url_option,
)
from bentoml_img.cli.show_packaging import package_and_show
from bentoml_img.engines import resolve
from bentoml_img.file_errors import FileError, reading, write_result
from bentoml_img.images import encode_jpeg
from bentoml_img.input_files import inputs_of
from bentoml_img.offline.compare import side_by_side, timed_masks
from bentoml_img.offline.mask import mask_file
from bentoml_img.offline.naming import check_apart, masks_of
from bentoml_img.palettes import DEFAULT_PALETTE, PALETTES, PaletteName
from bentoml_img.result_names import COMPARISON
from bentoml_img.segment import Segmenter
from bentoml_img.shelf import bundle_of, is_at_hand

PHOTO = "images/dog.jpg"  # to try the Bento on
MODELS = zoo.names_of("segmentation")
DEFAULT = "deeplabv3_lite"


@click.command(cls=PlainCommand, context_settings=HELP)
@click.argument("paths", nargs=-1, type=InputPath())
@click.option(
    "--model",
    "models",
    type=ModelChoice("segmentation"),
    multiple=True,
    metavar="NAME",
    help="A name from --list, or the folder of a bundle. Several to compare. "
    f"Default: {DEFAULT}, or all at hand to compare.",
)
@list_option
@click.option(
    "--compare",
    "compared",
    type=InputPath(dir_okay=False),
    metavar="PHOTO",
    help="Draw the models side by side.",
)
@click.option(
    "--evaluate",
    "data",
    type=FOLDER,
    metavar="DATA",
    help="Print the mIoU on DATA/VOCdevkit and DATA/coco as JSON.",
)
@click.option(
    "--output-dir",
    type=NEW_FOLDER,
    help="For results. Default: beside the input.",
)
@weights_option
@weights_url_option
@click.option(
    "--palette",
    type=click.Choice(list(PALETTES)),
    default=DEFAULT_PALETTE,
    show_default=True,
    help="The colours of masks: PASCAL VOC's, or those of PyTorch Hub's example.",
)
@engine_option
@precision_option
@version_option
@click.pass_context
def main(
    context: click.Context,
    paths: tuple[Path, ...],
    models: tuple[str, ...],
    listed: bool,
    compared: Path | None,
    data: Path | None,
    output_dir: Path | None,
    weights: Path | None,
    weights_url: str | None,
    palette: PaletteName,
    engine: str,
    precision: str,
) -> None:
    """Package a segmentation model as PytorchImageSegment:latest, in the store BENTOML_HOME.

    With PATHS (photos, GIFs, videos, folders of them), mask them instead: dog.jpg
    becomes dog_seg.png and dog_overlay.jpg, film.mov becomes film_seg.mp4, with the
    mask over each frame. Sub-folders are left out.
    """
    if sum(map(bool, (listed, compared, paths, data))) > 1:
        raise click.UsageError("--list, --compare, --evaluate and PATHS: give one of them")
    _check_used(context, models, compared, paths)
    with plain_ending(context, "torch", FileError):
        if listed:
            _list(context)
            return
        names = models or [DEFAULT]
        bundles = (
            _all_at_hand(context, engine, precision)
            if compared and not models
            else {name: _bundle(name, weights, weights_url) for name in names}
        )
        if not (compared or paths or data):
            package_and_show(bundles[names[0]], engine, precision, PHOTO)
            return
        segmenters = {
            name: Segmenter.from_bundle(bundle, engine, precision=precision)
            for name, bundle in bundles.items()
        }
        if compared:
            _compare(compared, segmenters, palette, output_dir)
        elif paths:
            context.exit(_segment(paths, segmenters[names[0]], palette, output_dir))
        elif data:
            print_evaluation(segmenters[names[0]], data)


def _check_used(
    context: click.Context,
    models: tuple[str, ...],
    compared: Path | None,
    paths: tuple[Path, ...],
) -> None:
    """UsageError if an option is given that would not be used."""
    if not (compared or paths) and (unused := given(context, ("output_dir", "palette"))):
        raise click.UsageError(f"{unused} is for --compare and PATHS: give one of them")
    if len(models) > 1 and not compared:
        raise click.UsageError("several models can be compared only")


def _bundle(name: str, weights: Path | None, url: str | None) -> Path:
    with download_bar(name) as on_progress:
        return bundle_of(name, weights, url, on_progress)


def _all_at_hand(context: click.Context, engine: str, precision: str) -> dict[str, Path]:
    """The bundles of the models at hand, by name, except those that cannot be made or run here."""
    if unused := given(context, SOURCES):
        raise click.UsageError(f"{unused} is for one model: give its --model, too")
    bundles = {}
    for name in filter(is_at_hand, MODELS):
        try:
            with plain_errors("torch"):
                bundle = bundle_of(name)
                resolve(Bundle.open(bundle), engine, precision)
            bundles[name] = bundle
        except click.ClickException as error:
            console.print(f"{name} is left out: {error.message}")
    if not bundles:
        raise click.ClickException("no model is left to be compared")
    return bundles


def _list(context: click.Context) -> None:
    refuse_choice(context)
    print_table(catalogue("segmentation", ["mIoU"], _miou))
    console.print(
        "mIoU on COCO val2017 with the 21 classes of PASCAL VOC: as published, on 5,000 photos; "
        "of the shipped models on 258 of them. GFLOPs are 10⁹ multiply-adds for a square photo."
    )


def _miou(entry: zoo.Entry, scores: Mapping[str, float]) -> list[str]:
    return [f"{scores['coco_voc_miou' if entry.published else 'coco_miou']:.3f}"]


def _compare(
    photo: Path, segmenters: dict[str, Segmenter], palette: PaletteName, output_dir: Path | None
) -> None:
    target = (output_dir or photo.parent) / f"{photo.stem}{COMPARISON}"
    with usage_errors():
        check_apart({photo: [target]})
    with reading(photo):
        data = photo.read_bytes()
        masks = timed_masks(data, segmenters)
        sheet = encode_jpeg(side_by_side(data, masks, palette))
    write_result(target, sheet)
    for name, timed in masks.items():
        console.print(f"{name}: {timed.milliseconds:.0f} ms")
    print_line(bytes(target))


def _segment(
    paths: tuple[Path, ...], segmenter: Segmenter, palette: PaletteName, output_dir: Path | None
) -> int:
    """Mask each photo; those that cannot be read are named at the end. The exit status."""
    inputs = dict.fromkeys(file for path in paths for file in inputs_of(path))
    if not inputs:
        raise click.ClickException(f"no pictures or videos in {', '.join(map(str, paths))}")
    with usage_errors():
        check_apart({photo: masks_of(photo, output_dir or photo.parent) for photo in inputs})

    def mask(photo: Path, bar: Progress) -> Done:
        def warn(warning: str) -> None:
            console.print(f"{photo}: warning: {warning}")

        folder = output_dir or photo.parent
        try:
            with frames_bar(bar, photo.name) as on_progress, plain_errors("video"):
                done = mask_file(photo, segmenter, palette, folder, on_progress, warn)
        except KeyboardInterrupt:
            return Done(failed=[f"{photo}: interrupted, without a new result"], interrupted=True)
        return Done(
            [bytes(file) for file in done.written],  # a file name need not be UTF-8
            shortfall(photo, done.written[0], done.ending),
            done.ending.interrupted,
        )

    return do_each(inputs, mask)


if __name__ == "__main__":
    main()
