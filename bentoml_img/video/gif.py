"""Segments to a GIF: one palette for all of it, chosen from all of its frames."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from bentoml_img.video.delays import LONGEST, PER_SECOND, SHORTEST
from bentoml_img.video.filtering import FilterGraph
from bentoml_img.video.segments import Segment

CENTISECOND = Fraction(1, PER_SECOND)

MOST_REPEATS = 65_535  # 16 bits

# A pixel that changes by less than this keeps its colour: noise of a camera, which would cost
# two thirds of the file.
STEADY = 8

# Ordered dither stays where it is from frame to frame, and so costs few bytes.
DITHER = "dither=bayer:bayer_scale=4"


def write_gif(segments: Sequence[Segment], path: Path, plays: int = 0) -> None:
    """Write a GIF with the delays of the frames, to the hundredth of a second.

    It is played `plays` times, 0 for without end. Frames that follow another within two
    hundredths are left out.
    """
    palette, last = _palette(segments)
    length = segments[-1].end - segments[0].start
    delay = min(LONGEST, max(SHORTEST, round(length / CENTISECOND) - last))
    options = {"loop": str(_repeats(plays)), "final_delay": str(delay)}
    with av.open(str(path.absolute()), "w", format="gif", options=options) as output:
        stream = output.add_stream("gif")
        graph: FilterGraph | None = None
        for frame in _steady(_frames(segments)):
            if graph is None:
                stream.width, stream.height = frame.width, frame.height
                stream.pix_fmt = "pal8"
                stream.codec_context.time_base = CENTISECOND
                graph = FilterGraph("paletteuse", DITHER, CENTISECOND, frame, palette)
                graph.push(palette, 1)
                graph.push(None, 1)
            graph.push(frame)
            for picture in graph.pull():
                output.mux(stream.encode(picture))
        if graph is not None:
            graph.push(None)
            for picture in graph.pull():
                output.mux(stream.encode(picture))
        output.mux(stream.encode(None))


def _repeats(plays: int) -> int:
    """How many times FFmpeg is to have a GIF repeated: 0 for without end, -1 for never."""
    return (min(plays - 1, MOST_REPEATS) or -1) if plays else 0


def _palette(segments: Sequence[Segment]) -> tuple[av.VideoFrame, int]:
    """16×16 pixels: the 255 colours that suit all frames best, and a transparent one.

    And when the last frame appears, in centiseconds.
    """
    graph: FilterGraph | None = None
    last = 0
    for frame in _frames(segments):
        last = frame.pts or 0
        graph = graph or FilterGraph("palettegen", "", CENTISECOND, frame)
        graph.push(frame)
    assert graph is not None  # a segment has a frame
    graph.push(None)
    palette = next(graph.pull())
    palette.pts, palette.time_base = 0, CENTISECOND
    return palette, last


def _frames(segments: Sequence[Segment]) -> Iterator[av.VideoFrame]:
    """The frames in RGB, their times in centiseconds of the whole video from its first frame."""
    following = 0
    for segment in segments:
        with av.open(str(segment.path.absolute())) as container:
            for frame in container.decode(container.streams.video[0]):
                if frame.pts is None or frame.time_base is None:
                    continue
                time = segment.start - segments[0].start + frame.pts * frame.time_base
                pts = round(time / CENTISECOND)
                if pts < following:
                    continue
                following = pts + SHORTEST
                picture = frame.reformat(format="rgb24")
                picture.pts, picture.time_base = pts, CENTISECOND
                yield picture


def _steady(frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    shown = None
    for frame in frames:
        pixels = frame.to_ndarray()
        if shown is None:
            shown = pixels.copy()
        else:
            change = np.maximum(pixels, shown) - np.minimum(pixels, shown)
            moved = (change >= STEADY).any(axis=2)
            shown[moved] = pixels[moved]
        picture = av.VideoFrame.from_ndarray(shown, format="rgb24")
        picture.pts, picture.time_base = frame.pts, CENTISECOND
        yield picture
