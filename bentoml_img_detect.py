"""Choose a detection model, package it as a Bento; or annotate photos and videos here and now."""

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress

from bentoml_img import zoo
from bentoml_img.annotate import annotate_photo
from bentoml_img.bundle import read_manifest
from bentoml_img.cli.catalogue import catalogue, names_of
from bentoml_img.cli.console import (
    console,
    download_bar,
    frames_bar,
    plain_ending,
    plain_errors,
    print_line,
    print_table,
)
from bentoml_img.cli.counts_table import counts_table
from bentoml_img.cli.each import Done, do_each, shortfall
from bentoml_img.cli.options import (
    FiniteRange,
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
from bentoml_img.detect import MAX_INSTANCES, SCORE_THRESHOLD, Detector
from bentoml_img.files import PLOT, FileError, writing
from bentoml_img.labels import real_classes
from bentoml_img.naming import is_video, results_of
from bentoml_img.shelf import bundle_of
from bentoml_img.training.dataset import DatasetError
from bentoml_img.video.frames import FOLDER_RATE
from bentoml_img.video.results import INTERRUPTED, RECORDS, Result

PHOTO = "images/people_mechanics.jpg"  # to try the Bento on
MODELS = names_of("detection")
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
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


class Numbers(click.ParamType[tuple[float, ...]]):
    """Finite numbers with commas between."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        try:
            numbers = tuple(map(float, value.split(",")))
        except ValueError:
            numbers = (math.nan,)
        if not all(map(math.isfinite, numbers)):
            self.fail(f"{value!r} is not numbers with commas between", param, ctx)
        return numbers


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
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
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="PATH",
    help="The result of one input: a .jpg or .png, a .gif or .mp4.",
)
@click.option(
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
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
    type=Numbers(),
    metavar="X1,Y1,X2,Y2",
    multiple=True,
    help="Count what crosses it, in pixels; several can be given.",
)
@click.option(
    "--zone",
    "zones",
    type=Numbers(),
    metavar="X,Y,X,Y,X,Y…",
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
    **wanted: Any,
) -> None:
    """Package a detection model as PytorchInstanceDetector:latest, in the store BENTOML_HOME.

    With PATHS (photos, GIFs, videos, folders of them), draw what is in them
    instead: street.jpg becomes street_result.jpg, and videos are tracked and counted.
    """
    if sum(map(bool, (paths, listed, data))) > 1:
        raise click.UsageError("--list, --evaluate and PATHS: give one of them")
    if not paths and (unused := given(context, wanted)):
        raise click.UsageError(f"{unused} is for PATHS: give some")
    with plain_ending(context, "torch", FileError):
        if listed:
            _list(context)
            return
        with download_bar(model) as on_progress:
            bundle = bundle_of(model, weights, weights_url, on_progress)
        if paths:
            context.exit(_annotate(paths, bundle, engine, precision, **wanted))
        elif data:
            _evaluate(Detector.from_bundle(bundle, engine, precision=precision), data)
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
            scores = read_manifest(bundle_of(name)).scores
            coco, street = scores["coco_mask_ap50"], scores["street_mask_ap50"]
            console.print(
                f"{name}: mask AP50 {coco:.2f} on COCO and {street:.2f} on street scenes, by class "
                f"in artifacts/{name}/README.md"
            )


def _published_ap(entry: zoo.Entry, scores: Mapping[str, float]) -> list[str]:
    classes = len(real_classes(entry.labels))
    values = (scores.get(f"coco_{kind}_map") for kind in ("mask", "box"))
    return [*("–" if value is None else f"{value:.3f}" for value in values), str(classes)]


def _annotate(
    paths: tuple[Path, ...],
    bundle: Path,
    engine: str,
    precision: str,
    *,
    output: Path | None,
    output_dir: Path | None,
    frames: bool,
    as_json: bool,
    plot: bool,
    resume: bool,
    classes: str | None,
    score_threshold: float,
    max_instances: int,
    **video: Any,
) -> int:
    """Do one input after the other. The exit status."""
    names = None if classes is None else tuple(name.strip() for name in classes.split(","))
    asked: dict[str, Any] = {
        "score_threshold": score_threshold,
        "classes": names,
        "max_instances": max_instances,
    }
    targets = _targets(paths, frames, output, output_dir)
    options = None
    if any(map(is_video, targets.values())):
        with _usage(), plain_errors("video"):
            from bentoml_img.films import annotate_film, film_options

            tag = read_manifest(bundle).tag
            options = film_options(model=tag, precision=precision, **asked, **video)
            if plot:
                import matplotlib.figure  # noqa: F401 - before the work, not after it
    detector = Detector.from_bundle(bundle, engine, precision=precision)
    with _usage():
        detector.check_classes(names)

    def annotate(source: Path, bar: Progress) -> Done:
        target = targets[source]
        if options is None or not is_video(target):
            found = annotate_photo(source, target, partial(detector, **asked))
            return Done(_lines(source, {"result": str(target), **found.to_dict()}, as_json))
        try:
            with frames_bar(bar, source.name or source.resolve().name) as on_progress:
                result = annotate_film(source, target, detector, options, resume, on_progress)
            return _done(source, result, plot, as_json)
        except KeyboardInterrupt:
            why = f"{source}: interrupted, without a result yet; --resume goes on"
            return Done(failed=[why], interrupted=True)

    return do_each(targets, annotate)


def _targets(
    paths: tuple[Path, ...], frames: bool, output: Path | None, output_dir: Path | None
) -> dict[Path, Path]:
    """What is to be written, by its source."""
    with _usage():
        targets = results_of(paths, frames, output, output_dir)
    if not targets:
        raise click.ClickException(f"no pictures or videos in {', '.join(map(str, paths))}")
    context = click.get_current_context()
    if frames and (files := [str(path) for path in paths if not path.is_dir()]):
        raise click.UsageError(f"--frames is for folders, and {files[0]} is none")
    if not frames and given(context, ("rate",)):
        raise click.UsageError("--rate is for a folder of --frames")
    unused = given(context, VIDEO_OPTIONS)
    if unused and not any(map(is_video, targets.values())):
        raise click.UsageError(f"{unused} is for videos, and there is none in PATHS")
    return targets


@contextmanager
def _usage() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _done(source: Path, result: Result, plot: bool, as_json: bool) -> Done:
    """A video, as far as it was done."""
    interrupted = result.stopped == INTERRUPTED
    if interrupted:
        how_far = f"interrupted after {result.frames} frames"
        failed = [f"{source}: {how_far}, which are in {result.video}; --resume goes on"]
    else:
        failed = shortfall(source, result.video, result.stopped)
    try:
        return Done(_lines(source, _report(result, plot), as_json), failed, interrupted)
    except FileError as error:
        return Done((), [*failed, str(error)], interrupted)


def _report(result: Result, plot: bool) -> dict[str, Any]:
    """Tell people what was counted. The files that were written, by what they are, and counts."""
    summary = json.loads(result.summary.read_text())
    for warning in summary["warnings"]:
        console.print(f"warning: {warning}")
    console.print(counts_table(summary))
    written = result.files
    if plot:
        from bentoml_img.video.plots import plot_counts

        written["plot"] = result.video.with_suffix(PLOT)
        with writing(written["plot"]):
            plot_counts(result.tracks, written["plot"])
    counts = {what: summary[what] for what in ("counts", "crossings", "zones")}
    return {what: str(path) for what, path in written.items()} | counts


def _lines(source: Path, done: Mapping[str, Any], as_json: bool) -> Sequence[str | bytes]:
    """An object, or the paths of what was written."""
    if as_json:
        return [json.dumps({"file": str(source), **done}, separators=(",", ":"))]
    files = [done[what] for what in ("result", *RECORDS, "plot") if what in done]
    return [os.fsencode(file) for file in files]  # whatever its name is made of


def _evaluate(detector: Detector, data: Path) -> None:
    with plain_errors("train", DatasetError):
        from bentoml_img.training.detection.evaluation import validation_sets, watched_figures

        for figure in watched_figures(detector, validation_sets(data)):
            print_line(figure.to_json())


if __name__ == "__main__":
    main()
