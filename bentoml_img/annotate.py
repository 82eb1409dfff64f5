"""Photos and films with the instances in them drawn, without a server."""

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from bentoml_img.atomic import write
from bentoml_img.detect import Detections, Detector
from bentoml_img.draw_instances import Tracked, annotate, annotate_tracks
from bentoml_img.files import ANNOTATED, MOVING, Unreadable, check_apart, inputs_of, kind_of
from bentoml_img.images import ImageError, encode_jpeg, encode_png, load_rgb, open_image
from bentoml_img.video.ground import Ground
from bentoml_img.video.regions import Line, Point, Zone
from bentoml_img.video.results import SUFFIXES, Result, Speed

if TYPE_CHECKING:
    from bentoml_img.video.pipeline import Options

ENCODERS = {".jpg": encode_jpeg, ".jpeg": encode_jpeg, ".png": encode_png}


def results_of(
    paths: Iterable[Path],
    frames: bool = False,
    output: Path | None = None,
    folder: Path | None = None,
) -> dict[Path, Path]:
    """What is to be written for each photo and film in `paths`, by its source.

    A folder stands for the files in it, or with `frames` for a film. Results are
    beside their sources or in `folder`, unless `output` names the only one.
    ValueError if both are given, if results would overwrite each other or a source,
    or if their suffix is of no format that is written here.
    """
    if output and folder:
        raise ValueError(f"the result is {output}, or it is in {folder}: give one of them")
    sources = [file for path in paths for file in ([path] if frames else inputs_of(path))]
    if output and len(sources) > 1:
        raise ValueError(f"{output} cannot be the result of {len(sources)} files")
    targets = {source: output or _target(source, folder) for source in sources}
    inputs = {_identity(source) for source in sources if source.exists()}
    for target in targets.values():
        if target.suffix.lower() not in (*ENCODERS, *SUFFIXES):
            known = ", ".join((*ENCODERS, *SUFFIXES))
            raise ValueError(f"cannot write {target}: a result is one of {known}")
        if os.path.exists(target) and _identity(target) in inputs:
            raise ValueError(f"{target} is an input: it would be overwritten")
    check_apart((source, _place(target)) for source, target in targets.items())
    return targets


def _identity(path: Path) -> tuple[int, int]:
    """What two names of one file have in common."""
    found = path.stat()
    return found.st_dev, found.st_ino


def _place(target: Path) -> Path:
    """A film's records have its name, whatever its suffix."""
    return target.resolve().with_suffix("") if is_film(target) else target.resolve()


def _target(source: Path, folder: Path | None) -> Path:
    if source.is_dir():
        name, suffix = source.resolve().name, MOVING["film"]
        beside = Path(os.path.normpath(source / ".."))  # of "." as well
    else:
        name, suffix = source.stem, MOVING.get(kind_of(source), ".jpg")
        beside = source.parent
    return (folder or beside) / f"{name}{ANNOTATED}{suffix}"


def is_film(target: Path) -> bool:
    """Whether a result is a film or an animation, by its suffix."""
    return target.suffix.lower() in SUFFIXES


def annotate_photo(
    source: Path, target: Path, detect: Callable[[Sequence[Image.Image]], Sequence[Detections]]
) -> Detections:
    """Draw what is detected in a photo into `target`; Unreadable if it is none."""
    try:
        photo = load_rgb(open_image(source.read_bytes()))
        (found,) = detect([photo])
        write(target, ENCODERS[target.suffix.lower()](annotate(photo, found)))
    except (OSError, ImageError) as error:
        raise Unreadable(f"{source}: {error}") from error
    return found


def film_options(
    *,
    lines: Sequence[Sequence[float]] = (),
    zones: Sequence[Sequence[float]] = (),
    scale: float | None = None,
    homography: Sequence[float] | None = None,
    **others: Any,
) -> "Options":
    """How to look at a film, from numbers; `scale` is how many pixels are a metre.

    ValueError if these make no lines, zones or ground, or if there is a scale
    but no line to measure speeds at.
    """
    from bentoml_img.video.pipeline import Options

    if scale and homography:
        raise ValueError("a scale and a homography: give one of them")
    if (scale or homography) and not lines:
        raise ValueError("speeds are measured across lines: give a line")
    ground = Ground.from_numbers(homography) if homography else None
    return Options(
        lines=tuple(Line.from_numbers(f"line {k}", line) for k, line in enumerate(lines, 1)),
        zones=tuple(Zone.from_numbers(f"zone {k}", zone) for k, zone in enumerate(zones, 1)),
        ground=Ground.from_scale(1 / scale) if scale else ground,
        **others,
    )


def film_detector(
    detect: Callable[..., Sequence[Detections]], options: "Options"
) -> Callable[[Sequence[Image.Image]], Sequence[Detections]]:
    """A detector, asked for unsure instances, too: they go on with a track, but start none."""
    from bentoml_img.video.tracking import UNSURE

    return partial(
        detect,
        score_threshold=min(UNSURE, options.score_threshold),
        classes=options.classes,
        max_instances=options.max_instances,
    )


def film_drawer(
    options: "Options",
) -> Callable[[Image.Image, Sequence[Tracked]], Image.Image]:
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
    options: "Options",
    resume: bool = False,
    on_progress: Callable[[Speed], None] = lambda speed: None,
) -> Result:
    """Detect, track and draw in a film, an animation or a folder of frames.

    After Ctrl-C the result is what was done, stopped as INTERRUPTED;
    KeyboardInterrupt if that was nothing. Unreadable if the source is none of
    these. The rest is as `annotate_video` has it.
    """
    from av.error import FFmpegError

    from bentoml_img.video.frames import VideoError
    from bentoml_img.video.pipeline import Interrupted, annotate_video

    detect, draw = film_detector(detector, options), film_drawer(options)
    try:
        return annotate_video(
            source, target, detect, draw, options, resume=resume, progress=on_progress
        )
    except Interrupted as interrupted:
        if interrupted.result is None:
            raise
        return interrupted.result
    except (OSError, VideoError, FFmpegError) as error:
        raise Unreadable(f"{source}: {error}") from error
