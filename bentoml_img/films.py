"""Films with the instances in them tracked, counted and drawn."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from av.error import FFmpegError
from PIL import Image

from bentoml_img.detect import MAX_INSTANCES, SCORE_THRESHOLD, Detections, Detector
from bentoml_img.drawing.instances import annotate_tracks
from bentoml_img.files import reading, writing
from bentoml_img.video.frames import VideoError
from bentoml_img.video.ground import Ground
from bentoml_img.video.pipeline import Interrupted, Options, annotate_video
from bentoml_img.video.regions import Line, Point, Zone
from bentoml_img.video.results import Result, Speed
from bentoml_img.video.tracking import UNSURE, Instance


def film_options(
    *,
    lines: Sequence[Sequence[float]] = (),
    zones: Sequence[Sequence[float]] = (),
    scale: float | None = None,
    homography: Sequence[float] | None = None,
    score_threshold: float = SCORE_THRESHOLD,
    max_instances: int = MAX_INSTANCES,
    **others: Any,
) -> Options:
    """How to look at a film, from numbers; `scale` is how many pixels are a metre.

    ValueError if these make no lines, zones or ground, or if there is a scale
    but no line to measure speeds at.
    """
    if scale and homography:
        raise ValueError("a scale and a homography: give one of them")
    if (scale or homography) and not lines:
        raise ValueError("speeds are measured across lines: give a line")
    ground = Ground.from_numbers(homography) if homography else None
    return Options(
        lines=tuple(Line.from_numbers(f"line {k}", line) for k, line in enumerate(lines, 1)),
        zones=tuple(Zone.from_numbers(f"zone {k}", zone) for k, zone in enumerate(zones, 1)),
        ground=Ground.from_scale(1 / scale) if scale else ground,
        score_threshold=score_threshold,
        max_instances=max_instances,
        **others,
    )


def film_detector(
    detect: Callable[..., Sequence[Detections]], options: Options
) -> Callable[[Sequence[Image.Image]], Sequence[Detections]]:
    """A detector, asked for unsure instances, too: they go on with a track, but start none."""
    return partial(
        detect,
        score_threshold=min(UNSURE, options.score_threshold),
        classes=options.classes,
        max_instances=options.max_instances,
    )


def film_drawer(
    options: Options,
) -> Callable[[Image.Image, Sequence[Instance]], Image.Image]:
    """What draws tracks into a frame, and the lines and zones that they are counted at."""
    places: dict[str, Sequence[Point]] = {
        **{line.name: (line.start, line.end) for line in options.lines},
        **{zone.name: zone.corners for zone in options.zones},
    }
    return partial(annotate_tracks, places=places)


def annotate_film(
    source: Path,
    target: Path,
    detector: Detector,
    options: Options,
    resume: bool = False,
    on_progress: Callable[[Speed], None] = lambda speed: None,
) -> Result:
    """Detect, track and draw in a film, an animation or a folder of frames.

    After Ctrl-C the result is what was done, stopped as INTERRUPTED;
    KeyboardInterrupt if that was nothing. FileError if the source is none of
    these, or if the result cannot be written. The rest is as `annotate_video` has it.
    """
    detect, draw = film_detector(detector, options), film_drawer(options)
    try:
        with reading(source, VideoError), writing(target, FFmpegError):
            return annotate_video(
                source, target, detect, draw, options, resume=resume, progress=on_progress
            )
    except Interrupted as interrupted:
        if interrupted.result is None:
            raise
        return interrupted.result
