"""MP4, MOV, AVI, MKV, WebM and the like, through PyAV."""

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import av.container
import av.error
import av.stream
from PIL import Image

from bentoml_img.video.frames import (
    MAX_RATE,
    UnsupportedVideo,
    VideoError,
    VideoInfo,
    check_size,
)
from bentoml_img.video.pixels import picture_of

# A file is cut short if its frames end this much before it says: encoders round, and edit lists
# hide a frame or two.
SLACK_FRAMES = 3

# FFmpeg reads much else: text as a picture of a terminal, play lists, whose files it then opens.
READ = {
    "format_whitelist": "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg",
    "protocol_whitelist": "file",
}

# How Matroska's tag has a duration: hours, minutes, seconds. Anyone can write anything there.
TAGGED = re.compile(r"(\d{1,4}):(\d\d):(\d\d(?:\.\d*)?)")

Streamed = tuple[Fraction | None, Fraction, Image.Image]


class Container:
    """The first video stream of a container that is not an attached picture."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.end = 0.0
        self.damage: str | None = None
        self._container = open_container(path)
        try:
            self._stream = self._pick()
            self._check(self._stream.codec_context.width, self._stream.codec_context.height)
            self._base = self._stream.time_base or Fraction(1, av.time_base)
            pictures = self._decode()
            first = next(pictures, None)
            if first is None:
                raise VideoError(f"{path.name} has no frame that can be decoded")
            self.info = self._describe(first[2])
            self._pictures = chain(iter([first]), pictures)
        except BaseException:
            self.close()
            raise

    def _pick(self) -> av.VideoStream:
        streams = self._container.streams
        videos = [
            s
            for s in streams.video
            if s.codec_context and not s.disposition & av.stream.Disposition.attached_pic
        ]
        if not videos:
            kind = "has no video stream: only audio" if streams.audio else "is not a video"
            raise UnsupportedVideo(f"{self._path.name} {kind}")
        stream = videos[0]
        stream.thread_type = "AUTO"
        return stream

    def _check(self, width: int, height: int) -> None:
        """VideoError if frames are too large, once their pixels are square."""
        check_size(self._path, round(width * self._aspect), height)

    def _describe(self, first: Image.Image) -> VideoInfo:
        stream = self._stream
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        duration = _duration(self._container, stream)
        frames = stream.frames or (round(duration * rate) if duration is not None else None)
        return VideoInfo(
            self._path,
            *first.size,
            min(float(rate), MAX_RATE),
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
            if time < previous + 1 / MAX_RATE:
                time = previous + step
            previous = time
            shown += 1
            self.end = time + (float(duration) or step)
            yield time, image if image.size == size else image.resize(size)
        self._judge(shown)

    def _judge(self, shown: int) -> None:
        """Note if the file says that there is more."""
        info, count = self.info, self._stream.frames
        slack = SLACK_FRAMES / info.rate
        short = info.duration is not None and self.end + slack < info.duration
        # An AVI counts the places of frames that were left out, too.
        reached = max(shown, round(self.end * info.rate))
        fewer = 0 < reached < count - SLACK_FRAMES
        # An edit list hides frames that MP4 and MOV count; an AVI's duration is guessed from what
        # there is of it.
        edited = "mov" in self._container.format.name
        if self.damage is None and ((short and (fewer or not count)) if edited else short or fewer):
            self.damage = "the file ends early"

    def _decode(self) -> Iterator[Streamed]:
        """Time and duration in seconds, 0 if unknown, and picture of each frame."""
        for packet in self._packets():
            try:
                frames = self._stream.codec_context.decode(packet)
            except av.error.FFmpegError as error:
                self.damage = error.strerror
                continue
            if packet and frames:
                self.damage = None  # players skip what cannot be decoded, too, if more comes
            for frame in frames:
                self._check(frame.width, frame.height)
                time = None if frame.pts is None else frame.pts * self._base
                length = (frame.duration or 0) * self._base
                yield time, length, self._picture(frame)

    def _picture(self, frame: av.VideoFrame) -> Image.Image:
        try:
            return picture_of(frame, self._aspect)
        except av.error.FFmpegError as error:
            name, why = self._path.name, error.strerror
            raise VideoError(f"{name} has colours that cannot be read here: {why}") from None

    def _packets(self) -> Iterator["av.Packet[av.VideoStream] | None"]:
        """The stream's packets, and None: what the decoder holds back is wanted too."""
        try:
            for packet in self._container.demux(self._stream):
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


def open_container(path: Path) -> av.container.InputContainer:
    """Open a file of the formats that are read here, and no other file from within; VideoError."""
    try:
        return av.open(str(path.absolute()), metadata_errors="replace", options=READ)
    except av.error.FFmpegError as error:
        raise UnsupportedVideo(
            f"{path.name} is not a video, or is cut short: {error.strerror}"
        ) from None


def _duration(container: av.container.InputContainer, stream: av.VideoStream) -> float | None:
    """Seconds from the container's start to the stream's end, as the file says."""
    if stream.duration is not None and stream.time_base is not None:
        start = Fraction(container.start_time or 0, av.time_base)
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base - start)
    if tagged := TAGGED.fullmatch(stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = map(float, tagged.groups())
        return hours * 3600 + minutes * 60 + seconds
    if container.duration is not None and not container.streams.audio:
        return container.duration / av.time_base
    return None
