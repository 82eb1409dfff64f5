"""Masks for photos and videos, without a server."""

import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bentoml_img.drawing.segmentation import blend, colour_mask, overlay
from bentoml_img.file_errors import reading, write_result, writing
from bentoml_img.images import encode_jpeg, encode_png, load_rgb, open_image
from bentoml_img.offline.naming import masks_of
from bentoml_img.palettes import PaletteName
from bentoml_img.segment import Segmenter
from bentoml_img.system.interrupts import uninterrupted
from bentoml_img.video.results import COMPLETE, Ending, FrameProgress


@dataclass(frozen=True)
class Masked:
    """The files written, and how a video ends."""

    written: list[Path]
    ending: Ending = COMPLETE


def mask_file(
    source: Path,
    segmenter: Segmenter,
    palette: PaletteName,
    folder: Path,
    on_progress: Callable[[FrameProgress], None] = lambda progress: None,
    on_warning: Callable[[str], None] = lambda warning: None,
) -> Masked:
    """Write a photo's mask and overlay, or a video's overlay, into `folder`.

    If a video breaks off, the frames before that are written; and so they are on Ctrl-C or if
    the segmenter raises an error, which is raised again, unless there is an earlier result,
    which stays. FileError if the source is neither a photo nor a video, or if a result cannot be
    written; KeyboardInterrupt on Ctrl-C if nothing was written.
    `on_progress` is called after each frame of a video, `on_warning` with what is unusual in it.
    """
    target, *of_photo = masks_of(source, folder)
    with writing(target):
        folder.mkdir(parents=True, exist_ok=True)
    if of_photo:
        return Masked(_photo(source, segmenter, palette, target, *of_photo))
    return Masked([target], _video(source, segmenter, palette, target, on_progress, on_warning))


def _photo(
    source: Path, segmenter: Segmenter, palette: PaletteName, target: Path, over_photo: Path
) -> list[Path]:
    with reading(source):
        data = source.read_bytes()
        answer = segmenter.segment_opened(open_image(data))
        mask = encode_png(colour_mask(answer, palette))
        drawn = encode_jpeg(overlay(load_rgb(open_image(data)), answer, palette))
    return [write_result(target, mask), write_result(over_photo, drawn)]


def _video(
    source: Path,
    segmenter: Segmenter,
    palette: PaletteName,
    target: Path,
    on_progress: Callable[[FrameProgress], None],
    on_warning: Callable[[str], None],
) -> Ending:
    """Write a video's overlay. How it ends."""
    from av.error import FFmpegError

    from bentoml_img.video.frames import DamagedVideo, Frame, VideoError
    from bentoml_img.video.prefetch import prefetch
    from bentoml_img.video.reading import Video, open_video
    from bentoml_img.video.segments import SegmentWriter
    from bentoml_img.video.writing import writing_video

    def frames(video: Video) -> Generator[Frame]:
        """The frames that are there, the mask laid over each."""
        started = time.monotonic()
        with closing(prefetch(frame for frame in video)) as ahead:
            for done, frame in enumerate(ahead, 1):
                (answer,) = segmenter([frame.image])
                blend(frame.image, answer, palette)
                yield frame
                speed = done / (time.monotonic() - started)
                on_progress(FrameProgress(done, video.info.frames, speed))

    def write(writer: SegmentWriter, video: Video) -> Ending:
        written = False
        try:
            with closing(prefetch(frames(video))) as masked:
                for frame in masked:
                    with uninterrupted():
                        writer.write(frame, frame.image)
                        written = True
        except DamagedVideo as error:
            if not written:
                raise
            return Ending(error=str(error))
        finally:
            for warning in video.warnings:
                on_warning(warning)
        return COMPLETE

    is_new = not target.exists()
    try:
        with reading(source, VideoError), writing(target, FFmpegError), open_video(source) as video:
            info = video.info
            size, sound = (info.width, info.height), source if info.audio else None
            with writing_video(target, size, info.rate, sound, info.plays, on_warning) as writer:
                return write(writer, video)
    except KeyboardInterrupt:
        if is_new and target.exists():
            return Ending(interrupted=True)
        raise
