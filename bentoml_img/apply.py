"""Masks for photos and films, without a server."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from bentoml_img.draw import blend, colour_mask, overlay
from bentoml_img.images import ImageError, encode_jpeg, encode_png, load_rgb, open_image
from bentoml_img.segment import Segmenter

PHOTOS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
FILMS = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm"})
MASK, OVERLAY = "_seg.png", "_overlay.jpg"
RESULTS = (MASK, OVERLAY, "_seg.gif", "_seg.mp4")


class Unreadable(Exception):
    """A file that is no usable picture or film; the message names it."""


def inputs_of(path: Path) -> list[Path]:
    """The file itself, or what is in a folder but for results that are there already."""
    if not path.is_dir():
        return [path]
    return sorted(
        file
        for file in path.iterdir()
        if file.suffix.lower() in PHOTOS | FILMS and not file.name.endswith(RESULTS)
    )


def apply(source: Path, segmenter: Segmenter, palette: str, folder: Path) -> list[Path]:
    """Write a photo's mask and overlay, or a film's overlay, into `folder`.

    Unreadable if it is neither; a film that breaks off is written as far as it goes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if source.suffix.lower() in FILMS:
        return [_film(source, segmenter, palette, folder / f"{source.stem}_seg.mp4")]
    if _is_animated(source):
        return [_film(source, segmenter, palette, folder / f"{source.stem}_seg.gif")]
    return _photo(source, segmenter, palette, folder)


def _is_animated(source: Path) -> bool:
    try:
        with Image.open(source) as image:
            return image.format == "GIF" and getattr(image, "is_animated", False)
    except OSError:
        return False


def _photo(source: Path, segmenter: Segmenter, palette: str, folder: Path) -> list[Path]:
    try:
        data = source.read_bytes()
        pixels, size = segmenter.prepare(open_image(data))
        answer = segmenter.segmentation(segmenter.scores(pixels), size, palette)
        drawn = encode_jpeg(overlay(load_rgb(open_image(data)), answer))
    except (OSError, ImageError) as error:
        raise Unreadable(f"{source}: {error}") from error
    return [
        _write(folder / (source.stem + MASK), encode_png(colour_mask(answer))),
        _write(folder / (source.stem + OVERLAY), drawn),
    ]


def _film(source: Path, segmenter: Segmenter, palette: str, target: Path) -> Path:
    from bentoml_img.video.frames import DamagedVideo, Frame, VideoError
    from bentoml_img.video.overlap import overlap
    from bentoml_img.video.reading import Video, open_video
    from bentoml_img.video.segments import SegmentWriter
    from bentoml_img.video.writing import join

    def frames(video: Video) -> Iterator[Frame]:
        """The frames that are there, the mask laid over each."""
        for frame in overlap(frame for frame in video):
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
    except VideoError as error:
        raise Unreadable(f"{source}: {error}") from error
    if damage:
        raise Unreadable(f"{target} is not complete: {damage}")
    return target


def _write(path: Path, content: bytes) -> Path:
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(content)
    os.replace(temporary, path)
    return path
