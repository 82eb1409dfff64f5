"""Photos and videos with the instances in them drawn, without a server."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from bentoml_img.detect import DEFAULT_QUERY, Detections, Detector, Query
from bentoml_img.drawing.instances import annotate, annotate_tracks
from bentoml_img.file_errors import reading, write_result, writing
from bentoml_img.images import ENCODERS, read_rgb
from bentoml_img.video.frames import VideoError
from bentoml_img.video.options import Options
from bentoml_img.video.results import FrameProgress, Result


def annotate_photo(
    source: Path, target: Path, detector: Detector, query: Query = DEFAULT_QUERY
) -> Detections:
    """Draw what is detected in a photo into `target`; FileError if that cannot be."""
    with reading(source):
        photo = read_rgb(source)
        (found,) = detector([photo], query)
        drawn = ENCODERS[target.suffix.lower()](annotate(photo, found))
    write_result(target, drawn)
    return found


def annotate_video(
    source: Path,
    target: Path,
    detector: Detector,
    options: Options,
    resume: bool = False,
    on_progress: Callable[[FrameProgress], None] = lambda progress: None,
    on_warning: Callable[[str], None] = lambda warning: None,
) -> Result:
    """Detect, track and draw in a video, an animation or a folder of frames.

    After Ctrl-C the result is what was done, and its ending interrupted;
    KeyboardInterrupt if that was nothing. FileError if the source is none of
    these, or if the result cannot be written. The rest is as `process_video` has it.
    """
    from av.error import FFmpegError  # here: photos are annotated without the extra "video"

    from bentoml_img.video.pipeline import Interrupted, process_video

    draw = partial(annotate_tracks, places=options.places)
    try:
        with reading(source, VideoError), writing(target, FFmpegError):
            return process_video(
                source,
                target,
                detector,
                draw,
                options,
                identity=detector.identity,
                resume=resume,
                on_progress=on_progress,
                on_warning=on_warning,
            )
    except Interrupted as interrupted:
        if interrupted.result is None:
            raise
        return interrupted.result
