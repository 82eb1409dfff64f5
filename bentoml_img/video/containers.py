"""MP4, MOV, AVI, MKV, WebM and the like, through PyAV."""

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import av
import av.container
import av.error
from PIL import Image, ImageOps

from bentoml_img.video.deinterlacing import Timed, deinterlaced
from bentoml_img.video.demuxing import may_jump, open_container, packets, shown_stream
from bentoml_img.video.frame_times import FrameTimes
from bentoml_img.video.frames import (
    MAX_RATE,
    UnsupportedVideo,
    VideoError,
    VideoInfo,
    check_size,
)
from bentoml_img.video.pixels import picture_of
from bentoml_img.video.source import Source

# How much earlier than the file says its frames may end, before it is taken to be cut short:
# encoders round, and edit lists hide a frame or two.
SLACK_FRAMES = 3
SLACK = 0.25  # seconds, if SLACK_FRAMES are shorter

# Frames a second: where a file does not say its rate, that of its clock stands for it, which is
# above this. Then the rate is measured.
DOUBTFUL_RATE = 240
MEASURED = 50  # frames at the start, by whose times it is
USUAL_RATE = Fraction(25)  # where there is but one frame

# Hours, minutes and seconds in Matroska's tag of a duration, which may have any other text, too.
TAGGED = re.compile(r"(\d{1,4}):(\d\d):(\d\d(?:\.\d*)?)")

# An ASF's properties start like this. So many bytes from there are the size of the file, and a bit
# that is set if the size was unknown, as that of a live stream.
ASF_PROPERTIES, ASF_SIZE, ASF_ENDLESS = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"), 40, 88
ASF_HEAD = 1 << 16

Streamed = tuple[Fraction | None, Fraction, Image.Image]


class Container(Source):
    """The video stream of a container that players show."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._container = open_container(path)
        try:
            self._stream = self._pick()
            self._check(self._stream.codec_context.width, self._stream.codec_context.height)
            self._base = self._stream.time_base or Fraction(1, av.time_base)
            self._rate = _rate(self._stream)
            pictures = self._pictures_of(deinterlaced(self._decode(), self._base))
            first = next(pictures, None)
            if first is None:
                raise VideoError(f"{path.name} has no frame that can be decoded")
            self.info = self._describe(first[2])
            self._pictures = chain(iter([first]), pictures)
        except BaseException:
            self.close()
            raise

    def _pick(self) -> av.VideoStream:
        stream = shown_stream(self._container)
        if stream is None:
            audio = self._container.streams.audio
            kind = "has no video stream: only audio" if audio else "is not a video"
            raise UnsupportedVideo(f"{self._path.name} {kind}")
        stream.thread_type = "AUTO"
        return stream

    def _check(self, width: int, height: int) -> None:
        """VideoError if frames are too large, once their pixels are square."""
        check_size(self._path, round(width * self._aspect), height)

    def _describe(self, first: Image.Image) -> VideoInfo:
        duration = _duration(self._container, self._stream)
        frames = self._stream.frames
        if not frames and self._rate is not None and duration is not None:
            frames = round(duration * self._rate)
        return VideoInfo(
            self._path,
            *first.size,
            min(float(self._rate or _measured_rate(self._path)), MAX_RATE),
            frames or None,
            duration,
            tuple(s.codec_context.name for s in self._container.streams.audio if s.codec_context),
        )

    def __iter__(self) -> Iterator[tuple[float, Image.Image]]:
        start = Fraction(self._container.start_time or 0, av.time_base)
        step = 1 / self.info.rate
        size = self.info.width, self.info.height
        shown, previous = 0, float("-inf")
        for pts, duration, image in self._pictures:
            time = self.end if pts is None else float(pts - start)
            time = previous = max(time, previous + 1 / MAX_RATE)
            shown += 1
            self.end = time + (float(duration) or step)
            if image.size != size:
                self._warn_of_size(image.size, time)
            yield time, image if image.size == size else ImageOps.pad(image, size)
        self._judge(shown)

    def _warn_of_size(self, size: tuple[int, int], time: float) -> None:
        if not self.warnings:
            self.warnings.append(
                f"the pictures change from {self.info.width}×{self.info.height} to "
                f"{size[0]}×{size[1]} pixels at {time:.1f} seconds: they are made to fit into the "
                "first size, in which lines and zones are"
            )

    def _judge(self, shown: int) -> None:
        """Note if the file says that there is more."""
        info, count, name = self.info, self._stream.frames, self._container.format.name
        slack = max(SLACK, SLACK_FRAMES / info.rate)
        short = info.duration is not None and self.end + slack < info.duration
        if name == "asf":  # whose duration may be wrong
            short = _is_cut_asf(self._path)
        if may_jump(self._container):  # its duration is the last time less the first
            short = False
        # An AVI counts frames that were left out, too.
        reached = max(shown, round(self.end * (self._stream.average_rate or info.rate)))
        fewer = 0 < reached < count - SLACK_FRAMES
        # MP4 and MOV count also frames that an edit list hides; the duration of an AVI is guessed
        # from as much as there is of the file.
        edited = "mov" in name
        if self.damage is None and ((short and (fewer or not count)) if edited else short or fewer):
            self.damage = "the file ends early"

    def _decode(self) -> Iterator[Timed]:
        """The time of each frame, None if unknown, its duration, 0 if unknown, and the frame.

        Both are in seconds.
        """
        times = FrameTimes(shown=self._container.format.name != "avi")
        for packet in self._packets():
            if packet:
                times.see(packet)
            try:
                frames = self._stream.codec_context.decode(packet)
            except av.error.FFmpegError as error:
                self.damage = error.strerror
                continue
            if packet and frames:
                self.damage = None  # as players do, what cannot be decoded is skipped if more comes
            for frame in frames:
                self._check(frame.width, frame.height)
                time = times.of(frame)
                length = frame.duration if self._rate else 0  # else it is a tick of the clock
                yield None if time is None else time * self._base, (length or 0) * self._base, frame

    def _pictures_of(self, frames: Iterator[Timed]) -> Iterator[Streamed]:
        try:
            for time, length, frame in frames:
                yield time, length, picture_of(frame, self._aspect)
        except av.error.FFmpegError as error:
            name, why = self._path.name, error.strerror
            raise VideoError(f"{name} has colours that cannot be read here: {why}") from None

    def _packets(self) -> Iterator["av.Packet[av.VideoStream] | None"]:
        """The stream's packets, and then None, for which the decoder gives what it held back."""
        try:
            for packet in packets(self._container, self._stream):
                if packet.size:
                    yield packet
        except av.error.FFmpegError as error:
            self.damage = error.strerror
        yield None

    @property
    def _aspect(self) -> Fraction:
        return self._stream.sample_aspect_ratio or Fraction(1)

    def close(self) -> None:
        self._container.close()


def _rate(stream: av.VideoStream) -> Fraction | None:
    """Frames a second, as the file says; None if it does not, or says the rate of its clock."""
    rate = stream.average_rate
    if not rate and stream.time_base and stream.guessed_rate != 1 / stream.time_base:
        rate = stream.guessed_rate
    return rate if rate and rate <= DOUBTFUL_RATE else None


def _measured_rate(path: Path) -> Fraction:
    """Frames a second, by the times of the first ones."""
    with open_container(path) as container:
        stream = shown_stream(container)
        assert stream is not None  # it was there before
        try:
            first = list(islice(packets(container, stream), MEASURED))
        except av.error.FFmpegError:
            first = []
        times = [p.pts * p.time_base for p in first if p.pts is not None]
    length = max(times, default=0) - min(times, default=0)
    return (len(times) - 1) / Fraction(length) if length else USUAL_RATE


def _duration(container: av.container.InputContainer, stream: av.VideoStream) -> float | None:
    """Seconds from the container's start to the stream's end, as the file says."""
    start = Fraction(container.start_time or 0, av.time_base)
    if stream.duration is not None and stream.time_base is not None:
        # An ASF has the time of its end there, as Matroska's tag has, even if it starts late.
        begin = 0 if container.format.name == "asf" else stream.start_time or 0
        return float((begin + stream.duration) * stream.time_base - start)
    if tagged := TAGGED.fullmatch(stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = map(float, tagged.groups())
        return hours * 3600 + minutes * 60 + seconds - float(start)
    if container.duration is not None and not container.streams.audio:
        return container.duration / av.time_base - float(start)
    return None


def _is_cut_asf(path: Path) -> bool:
    """Whether a file is shorter than its head says."""
    with path.open("rb") as file:
        head = file.read(ASF_HEAD)
    properties = head[max(0, head.find(ASF_PROPERTIES)) :]
    size = int.from_bytes(properties[ASF_SIZE : ASF_SIZE + 8], "little")
    return path.stat().st_size < size and not properties[ASF_ENDLESS] & 1
