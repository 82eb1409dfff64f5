"""Frames to segments: files that are joined later, without being encoded again.

A segment is closed after a while and is whole from then on: what is done stays
done, whatever happens to the rest.
"""

from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import ColorRange
from PIL import Image

from bentoml_img.video.frames import Frame
from bentoml_img.video.pixels import matrix_for

TICKS = 90_000  # of a second: the clock of MPEG, exact for all common rates

# Without B-frames packets leave in the order of their frames, and segments join without overlap.
H264 = {"crf": "20", "preset": "veryfast", "bf": "0"}
LOSSLESS = {"qp": "0", "preset": "ultrafast", "bf": "0"}


@dataclass(frozen=True)
class Segment:
    """A closed file of frames, and where in the whole video it starts and ends, in seconds."""

    path: Path
    start: Fraction
    end: Fraction


class SegmentWriter:
    """Writes frames as H.264 into one file; its time starts with its first frame.

    `close` makes a segment of it. For a `.mp4`, pixels are yuv420p: an odd width or
    height gets one more column or row, a copy of the last. For a `.gif`, they are
    kept without loss, as its colours are chosen once all frames are known.
    """

    def __init__(self, path: Path, output: Path, size: tuple[int, int], rate: float) -> None:
        self.path = path
        self._start: int | None = None
        self._end = 0
        self._failed = False
        self._durations: dict[int, int] = {}
        self._lossless = output.suffix.lower() == ".gif"
        options = {"video_track_timescale": str(TICKS)}
        self._container = av.open(str(path.absolute()), "w", format="mp4", options=options)
        codec, encoding = ("libx264rgb", LOSSLESS) if self._lossless else ("libx264", H264)
        average = Fraction(rate).limit_denominator(1001)
        stream = self._container.add_stream(codec, average, options=encoding)
        assert isinstance(stream, av.VideoStream)
        self._stream = stream
        even = 1 if self._lossless else 2
        self._padding = [(0, -size[1] % even), (0, -size[0] % even), (0, 0)]
        context = stream.codec_context
        context.width, context.height = (side + -side % even for side in size)
        context.pix_fmt = "rgb24" if self._lossless else "yuv420p"
        context.time_base = Fraction(1, TICKS)
        self._matrix = matrix_for(context.height)
        if not self._lossless:
            context.colorspace = self._matrix
            context.color_range = ColorRange.MPEG

    def write(self, frame: Frame, image: Image.Image) -> None:
        """Add a picture at the time of `frame`, for as long."""
        start, self._end = round(frame.time * TICKS), round((frame.time + frame.duration) * TICKS)
        if self._start is None:
            self._start = start
        pixels = np.asarray(image)
        if any(after for _, after in self._padding):
            pixels = np.pad(pixels, self._padding, mode="edge")
        picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        if not self._lossless:
            picture = picture.reformat(
                format="yuv420p", dst_colorspace=self._matrix, dst_color_range=ColorRange.MPEG
            )
        picture.time_base = Fraction(1, TICKS)
        picture.pts = start - self._start
        self._durations[picture.pts] = self._end - start
        self._mux(picture)

    def _mux(self, picture: av.VideoFrame | None) -> None:
        try:
            for packet in self._stream.encode(picture):
                assert packet.pts is not None
                packet.duration = self._durations.pop(packet.pts)
                self._container.mux(packet)
        except FFmpegError:
            self._failed = True  # where the header cannot be written, the next packet is a crash
            raise

    def close(self) -> Segment | None:
        """Finish the file; None, and no file, if nothing was written, or something could not be."""
        if self._start is None or self._failed:
            with suppress(FFmpegError):
                self._container.close()
            self.path.unlink(missing_ok=True)
            return None
        self._mux(None)
        self._container.close()
        return Segment(self.path, Fraction(self._start, TICKS), Fraction(self._end, TICKS))
