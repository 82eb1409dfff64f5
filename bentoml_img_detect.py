"""Choose a detection model, package it as a Bento; or annotate photos and videos here and now."""

if __name__ == "__main__":
    from bentoml_img.system.interrupts import end_at_once_by_ctrl_c

    end_at_once_by_ctrl_c()

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from bentoml_img import zoo
from bentoml_img.bundle import Bundle
from bentoml_img.cli.annotation import Annotation, annotate_each
from bentoml_img.cli.bars import download_bar
from bentoml_img.cli.catalogue import catalogue
from bentoml_img.cli.console import console, print_table
from bentoml_img.cli.errors import PlainCommand, plain_ending, plain_errors, usage_errors
from bentoml_img.cli.evaluating import print_evaluation
from bentoml_img.cli.options import (
    FOLDER,
    HELP,
    NEW_FILE,
    NEW_FOLDER,
    FiniteRange,
    InputPath,
    ModelChoice,
    Numbers,
    Place,
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
from bentoml_img.detect import MAX_INSTANCES, SCORE_THRESHOLD, Detector
from bentoml_img.file_errors import FileError
from bentoml_img.labels import real_classes
from bentoml_img.offline.naming import results_of
from bentoml_img.result_names import is_video
from bentoml_img.shelf import bundle_of
from bentoml_img.video.frames import FOLDER_RATE

PHOTO = "images/people_mechanics.jpg"  # to try the Bento on
MODELS = zoo.names_of("detection")
DEFAULT = "maskrcnn_lite"
VIDEO_OPTIONS = (
    "frames",
    "rate",
    "every",
    "lines",
    "zones",
    "scale",
    "homography",
    "plot",
    "resume",
)


@click.command(cls=PlainCommand, context_settings=HELP)
@click.argument("paths", nargs=-1, type=InputPath())
@click.option(
    "--model",
    type=ModelChoice("detection"),
    default=DEFAULT,
    show_default=True,
    metavar="NAME",
    help="A name from --list, or the folder of a bundle.",
)
@list_option
@click.option(
    "--evaluate",
    "data",
    type=FOLDER,
    metavar="DATA",
    help="Print average precision, and the precision and recall of what is shown, on DATA/street "
    "and DATA/coco as JSON.",
)
@weights_option
@weights_url_option
@engine_option
@precision_option
@click.option(
    "--output",
    type=NEW_FILE,
    metavar="PATH",
    help="The result of one input: a .jpg or .png, a .gif or .mp4.",
)
@click.option(
    "--output-dir",
    type=NEW_FOLDER,
    help="For results. Default: beside the input.",
)
@click.option(
    "--score-threshold",
    type=FiniteRange(0, 1),
    default=SCORE_THRESHOLD,
    show_default=True,
    help="What scores less is not drawn; in a video it starts no track.",
)
@click.option("--classes", metavar="NAME,…", help="Only these, with commas between.")
@click.option(
    "--max-instances",
    type=click.IntRange(1, MAX_INSTANCES),
    default=MAX_INSTANCES,
    show_default=True,
    help="The most to keep in a picture or a frame.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was found, one object an input.")
@click.option("--frames", is_flag=True, help="A folder is a video, and its photos are the frames.")
@click.option(
    "--rate",
    type=FiniteRange(0, min_open=True),
    default=FOLDER_RATE,
    show_default=True,
    help="Frames a second of a folder of --frames.",
)
@click.option(
    "--every",
    type=click.IntRange(1),
    default=1,
    metavar="N",
    show_default=True,
    help="Detect in every Nth frame.",
)
@click.option(
    "--line",
    "lines",
    type=Place(),
    metavar="[NAME=]X1,Y1,X2,Y2",
    multiple=True,
    help="Count what crosses it, in pixels; several can be given.",
)
@click.option(
    "--zone",
    "zones",
    type=Place(),
    metavar="[NAME=]X,Y,X,Y,X,Y…",
    multiple=True,
    help="Measure the time spent in it; several can be given.",
)
@click.option(
    "--scale",
    type=FiniteRange(0, min_open=True),
    metavar="PIXELS",
    help="How many pixels are a metre, seen from straight above: gives speeds across lines.",
)
@click.option(
    "--homography",
    type=Numbers(),
    metavar="H11,H12,…,H33",
    help="Nine numbers, row by row, from pixels to metres on the ground: gives such speeds.",
)
@click.option("--plot", is_flag=True, help="Draw how many are in a video over time.")
@click.option("--resume", is_flag=True, help="Go on with videos that were interrupted.")
@version_option
@click.pass_context
def main(
    context: click.Context,
    /,
    paths: tuple[Path, ...],
    model: str,
    listed: bool,
    data: Path | None,
    weights: Path | None,
    weights_url: str | None,
    engine: str,
    precision: str,
    **options: Any,
) -> None:
    """Package a detection model as PytorchInstanceDetector:latest, in the store BENTOML_HOME.

    With PATHS (photos, GIFs, videos, folders of them), draw what is in them
    instead: street.jpg becomes street_result.jpg, and videos are tracked and counted.
    """
    if sum(map(bool, (paths, listed, data))) > 1:
        raise click.UsageError("--list, --evaluate and PATHS: give one of them")
    if not paths and (unused := given(context, options)):
        raise click.UsageError(f"{unused} is for PATHS: give some")
    with plain_ending(context, "torch", FileError):
        if listed:
            _list(context)
            return
        with download_bar(model) as on_progress:
            bundle = bundle_of(model, weights, weights_url, on_progress)
        if paths:
            wanted = Annotation(**options)
            context.exit(_detect(context, paths, bundle, engine, precision, wanted))
        elif data:
            print_evaluation(Detector.from_bundle(bundle, engine, precision=precision), data)
        else:
            package_and_show(bundle, engine, precision, PHOTO)


def _list(context: click.Context) -> None:
    refuse_choice(context)
    print_table(catalogue("detection", ["mask AP", "box AP", "classes"], _published_ap))
    console.print(
        "AP on COCO val2017 and all of its classes, as published. "
        "GFLOPs are 10⁹ multiply-adds for a square photo."
    )
    for name in MODELS:
        if not zoo.find(name).published:
            scores = Bundle.open(bundle_of(name)).manifest.scores
            coco, street = scores["coco_mask_ap50"], scores["street_mask_ap50"]
            console.print(
                f"{name}: mask AP50 {coco:.2f} on COCO and {street:.2f} on street scenes, by class "
                f"in artifacts/{name}/README.md"
            )


def _published_ap(entry: zoo.Entry, scores: Mapping[str, float]) -> list[str]:
    classes = len(real_classes(entry.labels))
    values = (scores.get(f"coco_{kind}_map") for kind in ("mask", "box"))
    return [*("–" if value is None else f"{value:.3f}" for value in values), str(classes)]


def _detect(
    context: click.Context,
    paths: tuple[Path, ...],
    bundle: Path,
    engine: str,
    precision: str,
    wanted: Annotation,
) -> int:
    """Annotate one input after the other. Returns the exit status."""
    with usage_errors():
        targets = results_of(paths, wanted.frames, wanted.output, wanted.output_dir)
    _check_usage(context, paths, targets, wanted)
    options = None
    if any(map(is_video, targets.values())):
        with usage_errors(), plain_errors("video"):
            import bentoml_img.video.pipeline  # noqa: F401 - before the work, not in it

            options = wanted.options
            if wanted.plot:
                import matplotlib.figure  # noqa: F401
    detector = Detector.from_bundle(bundle, engine, precision=precision)
    with usage_errors():
        detector.check_classes(wanted.query.classes)
    return annotate_each(targets, detector, wanted, options)


def _check_usage(
    context: click.Context,
    paths: tuple[Path, ...],
    targets: Mapping[Path, Path],
    wanted: Annotation,
) -> None:
    """ClickException if there is nothing to do, or if an option would not be used."""
    if not targets:
        raise click.ClickException(f"no pictures or videos in {', '.join(map(str, paths))}")
    if wanted.frames and (files := [str(path) for path in paths if not path.is_dir()]):
        raise click.UsageError(f"--frames is for folders, and {files[0]} is none")
    if not wanted.frames and given(context, ("rate",)):
        raise click.UsageError("--rate is for a folder of --frames")
    unused = given(context, VIDEO_OPTIONS)
    if unused and not any(map(is_video, targets.values())):
        raise click.UsageError(f"{unused} is for videos, and there is none in PATHS")


if __name__ == "__main__":
    main()
