"""Videos as jobs: what is refused at once, and the work itself."""

import hashlib
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path

from bentoml_img.drawing.instances import annotate_tracks
from bentoml_img.result_names import ANNOTATED, MOVING
from bentoml_img.video import pipeline
from bentoml_img.video.frames import UnsupportedVideo, VideoError
from bentoml_img.video.parts import CannotResume
from bentoml_img.video.reading import is_animation, open_video
from bentoml_img.video.results import FrameProgress, Result
from services.errors import RequestRefused
from services.jobs import Job
from services.parameters import VideoRequest
from services.runner import Unusable, WorkStopped
from services.settings import MAX_FRAMES_VARIABLE


class _TooLong(pipeline.Stopped):
    """More frames came than may be done."""


def check_video(video: Path, max_frames: int) -> None:
    """Refuse what cannot be opened, has no frame that can be decoded, or says it has too many."""
    try:
        with open_video(video) as opened:
            frames = opened.info.frames or 0
    except UnsupportedVideo as error:
        raise RequestRefused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, str(error), "video") from None
    except VideoError as error:
        raise RequestRefused(HTTPStatus.BAD_REQUEST, str(error), "video") from None
    if frames > max_frames:
        raise RequestRefused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_long(video, max_frames), "video"
        )


def work(
    job: Job,
    stop: Callable[[], bool],
    detect: pipeline.Detect,
    identity: str,
    max_frames: int,
) -> Path:
    """Annotate a job's video: an animation as a GIF, another video as an MP4.

    It goes on where this detector left it, and begins anew where that cannot be.
    `detect` takes what a `Detector` does, and `identity` is that detector's.
    """
    options = VideoRequest(video=job.source, **job.written().parameters).options

    def report(progress: FrameProgress) -> None:
        if progress.done > max_frames:  # of which the file said nothing, or too few
            raise _TooLong
        left = progress.seconds_left
        job.report(
            {
                "frames": progress.done,
                "of": progress.total,
                "frames_per_second": round(progress.per_second, 2),
                "seconds_left": None if left is None else round(left, 1),
            }
        )

    def annotate(target: Path, resume: bool) -> Result:
        return pipeline.process_video(
            job.source,
            target,
            detect,
            partial(annotate_tracks, places=options.places),
            options,
            identity=identity,
            resume=resume,
            on_progress=report,
            stop=stop,
        )

    try:
        target = _target(job, identity)
        try:
            result = annotate(target, resume=True)
        except CannotResume:
            result = annotate(target, resume=False)
    except _TooLong:
        raise Unusable(_too_long(job.source, max_frames)) from None
    except pipeline.Stopped:
        raise WorkStopped from None
    except VideoError as error:
        raise Unusable(str(error)) from None
    if result.ending.error:
        raise Unusable(result.ending.error)
    return result.video


def _too_long(video: Path, max_frames: int) -> str:
    return f"{video.name} has more than {max_frames:,} frames (the server's {MAX_FRAMES_VARIABLE})"


def _target(job: Job, identity: str) -> Path:
    suffix = MOVING["animation" if is_animation(job.source) else "video"]
    apart = hashlib.sha256(identity.encode()).hexdigest()[:12]
    target = job.result_folder / apart / f"{job.source.stem}{ANNOTATED}{suffix}"
    target.parent.mkdir(exist_ok=True)
    return target
