"""Containers opened, and what is in them: which stream is shown, and the packets of one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import av.container
import av.error
import av.stream

from bentoml_img.file_kinds import MOTION_JPEG, picture_kind
from bentoml_img.video.clock import Clock
from bentoml_img.video.frames import UnsupportedVideo

# FFmpeg reads much else: text as a picture of a terminal, play lists, whose files it then opens.
CONTAINERS = "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg,mxf"

# Streams without a container, and what can hold them: they have no times of their own.
RAW = "h264,hevc,mjpeg,mpegvideo,m4v,dv,ivf,yuv4mpegpipe"
HOLDER = {"ivf": ".mkv"}
PHOTOS = "jpeg_pipe"  # as which a photo is read, too


def open_container(path: Path) -> av.container.InputContainer:
    """Open a file in a format that is read here, and no other file that it names.

    UnsupportedVideo if it is in another, or damaged at its start.
    """
    try:
        return _open(path, CONTAINERS)
    except av.error.FFmpegError as error:
        why = (
            _how_to_hold(path)
            or (picture_kind(path) and "is a picture, not a video")
            or f"is not a video, or is cut short: {error.strerror}"
        )
        raise UnsupportedVideo(f"{path.name} {why}") from None


def _open(path: Path, formats: str) -> av.container.InputContainer:
    options = {"format_whitelist": formats, "protocol_whitelist": "file"}
    return av.open(str(path.absolute()), metadata_errors="replace", options=options)


def _how_to_hold(path: Path) -> str | None:
    """What to do with a raw stream; None if the file is none."""
    formats = f"{RAW},{PHOTOS}" if path.suffix.lower() in MOTION_JPEG else RAW
    try:
        with _open(path, formats) as container:
            name = container.format.name
            if not any(s.codec_context and s.codec_context.width for s in container.streams.video):
                return None
    except av.error.FFmpegError:
        return None
    target = path.with_suffix(HOLDER.get(name, ".mov")).name
    return f"is a raw stream: put it into a container (ffmpeg -i {path.name} -c copy {target})"


def shown_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """The video stream that players show: the default one, else the largest. None if none is."""
    disposition = av.stream.Disposition
    videos = [
        stream
        for stream in container.streams.video
        if stream.codec_context and not stream.disposition & disposition.attached_pic
    ]

    def rank(stream: av.VideoStream) -> tuple[bool, int]:
        return bool(stream.disposition & disposition.default), stream.width * stream.height

    return max(videos, key=rank, default=None)


def packets(
    container: av.container.InputContainer, wanted: av.stream.Stream
) -> Iterator["av.Packet[Any]"]:
    """The packets of a stream, on one clock with the other pictures and sounds of the file.

    The last is empty, for what the decoder holds back. FFmpegError where the file is damaged.
    """
    clock = Clock(jumps_forward=may_jump(container))
    shown = shown_stream(container)
    together = [*([shown] if shown else []), *container.streams.audio]
    for packet in container.demux(together):
        if packet.size:
            clock.adjust(packet)
        if packet.stream.index == wanted.index:
            yield packet


def may_jump(container: av.container.InputContainer) -> bool:
    """Whether files of the format may be several that were joined, whose length is a guess."""
    return container.format.name.startswith("mpeg")
