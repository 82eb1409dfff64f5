"""Annotate photos and videos, one after the other, and report what was found."""

import json
import os
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.progress import Progress

from bentoml_img.cli.bars import frames_bar
from bentoml_img.cli.console import console, tell_table
from bentoml_img.cli.counts_table import counts_table
from bentoml_img.cli.each import Done, do_each, shortfall
from bentoml_img.detect import Detector, Query, split_names
from bentoml_img.file_errors import FileError, writing
from bentoml_img.offline.annotate import annotate_photo, annotate_video
from bentoml_img.result_names import PLOT, is_video
from bentoml_img.video.ground import Ground
from bentoml_img.video.options import Options
from bentoml_img.video.places import PlaceSpec, lines_of, zones_of
from bentoml_img.video.results import RECORDS, Result, files_of


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """How PATHS are to be annotated: the command's options, by the names of its parameters."""

    output: Path | None
    output_dir: Path | None
    as_json: bool
    score_threshold: float
    classes: str | None
    max_instances: int
    frames: bool
    rate: float
    every: int
    lines: tuple[PlaceSpec, ...]
    zones: tuple[PlaceSpec, ...]
    scale: float | None
    homography: tuple[float, ...] | None
    plot: bool
    resume: bool

    @property
    def query(self) -> Query:
        """What is asked of the detector."""
        return Query(
            score_threshold=self.score_threshold,
            classes=None if self.classes is None else tuple(split_names(self.classes)),
            max_instances=self.max_instances,
        )

    @property
    def options(self) -> Options:
        """How to look at a video; ValueError if that cannot be."""
        return Options(
            query=self.query,
            every=self.every,
            rate=self.rate,
            lines=lines_of(self.lines),
            zones=zones_of(self.zones),
            ground=Ground.of(self.scale, self.homography),
        )


def annotate_each(
    targets: Mapping[Path, Path], detector: Detector, wanted: Annotation, options: Options | None
) -> int:
    """Write each of the `targets`, by their sources. The exit status.

    `options` may be None where no target is a video.
    """

    def annotate(source: Path, bar: Progress) -> Done:
        target = targets[source]
        if options is None or not is_video(target):
            found = annotate_photo(source, target, detector, wanted.query)
            answer = {"result": str(target), **asdict(found.summary())}
            return Done(_lines(source, answer, wanted.as_json))
        told: list[str] = []

        def warn(warning: str) -> None:
            told.append(warning)
            console.print(f"{source}: warning: {warning}")

        try:
            with frames_bar(bar, source.name or source.resolve().name) as on_progress:
                result = annotate_video(
                    source, target, detector, options, wanted.resume, on_progress, warn
                )
            return _done(source, result, wanted, told)
        except KeyboardInterrupt:
            why = f"{source}: interrupted, without a new result; --resume goes on"
            return Done(failed=[why], interrupted=True)

    return do_each(targets, annotate)


def _done(source: Path, result: Result, wanted: Annotation, told: Container[str]) -> Done:
    """What came of a video, done to its end or not; `told` are the warnings shown already."""
    interrupted = result.ending.interrupted
    if interrupted:
        how_far = f"interrupted after {result.frames} frames"
        failed = [f"{source}: {how_far}, which are in {result.video}; --resume goes on"]
    else:
        failed = shortfall(source, result.video, result.ending)
    try:
        answer = _report(source, result, wanted.plot, told)
        return Done(_lines(source, answer, wanted.as_json), failed, interrupted)
    except FileError as error:
        return Done((), [*failed, str(error)], interrupted)


def _report(source: Path, result: Result, plot: bool, told: Container[str]) -> dict[str, Any]:
    """Show what was counted. Returns the files that were written, by what they are, and counts."""
    summary = json.loads(result.summary.read_text())
    for warning in summary["warnings"]:
        if warning not in told:  # it was told by the run that this one resumed
            console.print(f"{source}: warning: {warning}")
    tell_table(counts_table(summary))
    written = files_of(result.video)
    if plot:
        from bentoml_img.offline.plots import plot_counts

        written["plot"] = result.video.with_suffix(PLOT)
        with writing(written["plot"]):
            plot_counts(result.tracks, written["plot"])
    counts = {what: summary[what] for what in ("counts", "crossings", "zones")}
    return {what: str(path) for what, path in written.items()} | counts


def _lines(source: Path, answer: Mapping[str, Any], as_json: bool) -> Sequence[str | bytes]:
    """An object, or the paths of what was written."""
    if as_json:
        return [json.dumps({"file": str(source), **answer}, separators=(",", ":"))]
    files = [answer[what] for what in ("result", *RECORDS, "plot") if what in answer]
    return [os.fsencode(file) for file in files]  # a file name need not be UTF-8
