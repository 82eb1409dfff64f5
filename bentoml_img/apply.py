"""Masks for photos and films, without a server."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bentoml_img.atomic import write
from bentoml_img.draw_masks import blend, colour_mask, overlay
from bentoml_img.files import Unreadable, kind_of
from bentoml_img.images import ImageError, encode_jpeg, encode_png, load_rgb, open_image
from bentoml_img.segment import Segmenter

MASK, OVERLAY = "_seg.png", "_overlay.jpg"
RESULTS = (MASK, OVERLAY, "_seg.gif", "_seg.mp4")


def apply(source: Path, segmenter: Segmenter, palette: str, folder: Path) -> list[Path]:
    """Write a photo's mask and overlay, or a film's overlay, into `folder`.

    Unreadable if it is neither, or if that cannot be written; a film that breaks
    off is written as far as it goes.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        kind = kind_of(source)
        if kind == "photo":
            return _photo(source, segmenter, palette, folder)
        suffix = ".gif" if kind == "animation" else ".mp4"
        return [_film(source, segmenter, palette, folder / f"{source.stem}_seg{suffix}")]
    except (OSError, ImageError) as error:
        raise Unreadable(f"{source}: {error}") from error


def _photo(source: Path, segmenter: Segmenter, palette: str, folder: Path) -> list[Path]:
    data = source.read_bytes()
    answer = segmenter.segment_opened(open_image(data), palette)
    drawn = encode_jpeg(overlay(load_rgb(open_image(data)), answer))
    return [
        write(folder / (source.stem + MASK), encode_png(colour_mask(answer))),
        write(folder / (source.stem + OVERLAY), drawn),
    ]


def _film(source: Path, segmenter: Segmenter, palette: str, target: Path) -> Path:
    from av.error import FFmpegError

    from bentoml_img.video.frames import DamagedVideo, Frame, VideoError
    from bentoml_img.video.prefetch import prefetch
    from bentoml_img.video.reading import Video, open_video
    from bentoml_img.video.segments import SegmentWriter
    from bentoml_img.video.writing import join

    def frames(video: Video) -> Iterator[Frame]:
        """The frames that are there, the mask laid over each."""
        for frame in prefetch(frame for frame in video):
            (answer,) = segmenter([frame.image], palette)
            blend(frame.image, answer)
            yield frame

    damage = None
    try:
        with open_video(source) as video, tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            info = video.info
            size = info.width, info.height
            with SegmentWriter(Path(scratch) / "film.mp4", target, size, info.rate) as writer:
                try:
                    for frame in frames(video):
                        writer.write(frame, frame.image)
                except DamagedVideo as error:
                    damage = error
                segment = writer.close()
            if segment:
                join([segment], target, source if info.audio else None)
    except (VideoError, FFmpegError) as error:
        raise Unreadable(f"{source}: {error}") from error
    if damage:
        raise Unreadable(f"{target} is not complete: {damage}")
    return target
