"""Segments and sound into one MP4, without encoding a picture again."""

import heapq
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from fractions import Fraction
from itertools import takewhile
from pathlib import Path
from typing import Any

import av
import av.container
import av.error
import av.stream

from bentoml_img.video.demuxing import open_container, packets
from bentoml_img.video.segments import Segment

# Audio that stays as it is; any other becomes AAC.
COPIED = {"aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"}
AAC_BITS, AAC_RATE = 160_000, 48_000  # a second

Source = av.container.InputContainer
Timed = tuple[float, int, "av.Packet[Any]"]  # second, number of the stream, packet


def write_mp4(segments: Sequence[Segment], path: Path, sound: Path | None) -> None:
    """Write an MP4 whose index is in front, so that a browser can start at once.

    It gets the audio of the video `sound`, as far as the pictures go.
    """
    with ExitStack() as stack:
        options = {"movflags": "faststart"}
        output = stack.enter_context(
            av.open(str(path.absolute()), "w", format="mp4", options=options)
        )
        with av.open(str(segments[0].path.absolute())) as first:
            video = output.add_stream_from_template(first.streams.video[0])
        tracks = [_pictures(segments, video)]
        if sound is not None:
            for number in _audible(sound):
                source = stack.enter_context(open_container(sound))
                tracks.append(_until(segments[-1].end, _audio(source, number, output)))
        for _, _, packet in heapq.merge(*tracks, key=lambda timed: timed[:2]):
            output.mux(packet)


def _pictures(segments: Sequence[Segment], video: av.VideoStream) -> Iterator[Timed]:
    for segment in segments:
        with av.open(str(segment.path.absolute())) as container:
            for packet in container.demux(container.streams.video[0]):
                if packet.size:
                    yield _timed(packet, video, segment.start)


def _audible(sound: Path) -> list[int]:
    """The numbers of the audio streams, less those in a codec that nobody here knows."""
    with open_container(sound) as source:
        return [number for number, s in enumerate(source.streams.audio) if s.codec_context]


def _audio(source: Source, number: int, output: av.container.OutputContainer) -> Iterator[Timed]:
    """Add a stream to the output; the packets for it come from the generator returned."""
    audio = source.streams.audio[number]
    start = Fraction(source.start_time or 0, av.time_base)
    if audio.codec_context.codec.canonical_name in COPIED:
        copied = _copied(source, audio, output.add_stream_from_template(audio), start)
        return _forwards(copied)
    rates = av.Codec("aac", "w").audio_rates or ()
    stream = output.add_stream("aac", audio.rate if audio.rate in rates else AAC_RATE)
    stream.bit_rate = AAC_BITS
    stream.layout = "mono" if audio.channels == 1 else "stereo"
    # The source's clock may be so coarse that two packets come at a time.
    stream.codec_context.time_base = Fraction(1, stream.rate)
    return _forwards(_encoded(source, audio, stream, start))


def _copied(
    source: Source, audio: av.AudioStream, stream: av.AudioStream, start: Fraction
) -> Iterator[Timed]:
    for packet in _demux(source, audio):
        if packet.size and packet.pts is not None:
            timed = _timed(packet, stream, -start)
            if timed[0] <= float(packet.pts * packet.time_base):
                yield timed


def _encoded(
    source: Source, audio: av.AudioStream, stream: av.AudioStream, start: Fraction
) -> Iterator[Timed]:
    resampler = av.AudioResampler("fltp", stream.layout, stream.rate)
    shape: tuple[str, str, int] | None = None
    end = 0  # of the frame before, in its unit
    for packet in _demux(source, audio):
        try:
            frames = audio.codec_context.decode(packet)
        except av.error.FFmpegError:
            continue
        for frame in frames:
            unit = frame.time_base or audio.time_base or Fraction(1, AAC_RATE)
            frame.pts = end if frame.pts is None else frame.pts  # what was held back has none
            end = frame.pts + round(Fraction(frame.samples, frame.sample_rate) / unit)
            if shape != (now := (frame.format.name, frame.layout.name, frame.sample_rate)):
                resampler, shape = av.AudioResampler("fltp", stream.layout, stream.rate), now
            for resampled in resampler.resample(frame):
                for encoded in stream.encode(resampled):
                    yield _timed(encoded, stream, -start)
    for encoded in stream.encode(None):
        yield _timed(encoded, stream, -start)


def _demux(source: Source, stream: av.AudioStream) -> Iterator["av.Packet[av.AudioStream]"]:
    """The packets up to the first damage."""
    with suppress(av.error.FFmpegError):
        yield from packets(source, stream)


def _timed(packet: "av.Packet[Any]", stream: av.stream.Stream, shift: Fraction) -> Timed:
    """A packet for another stream, `shift` seconds later."""
    assert packet.pts is not None
    ticks = round(shift / packet.time_base)
    packet.pts += ticks
    packet.dts = packet.pts if packet.dts is None else packet.dts + ticks
    packet.stream = stream
    return float(packet.dts * packet.time_base), stream.index, packet


def _forwards(track: Iterator[Timed]) -> Iterator[Timed]:
    """Without the packets whose times go back: an MP4 cannot hold them."""
    last = float("-inf")
    for timed in track:
        if timed[0] > last:
            last = timed[0]
            yield timed


def _until(end: Fraction, track: Iterator[Timed]) -> Iterator[Timed]:
    return takewhile(lambda timed: timed[0] < end, track)
