"""Times that are not as simple as a clip's of its own: late, doubled, unknown, joined."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from bentoml_img.video.clock import Clock
from bentoml_img.video.frames import DamagedVideo
from bentoml_img.video.reading import open_video
from bentoml_img.video.segments import SegmentWriter
from bentoml_img.video.writing import join
from tests.video.clips import SIZE, differs, picture, read, write_clip


def remux(source: Path, target: Path, shift: float = 0) -> Path:
    """The same packets in another container, `shift` seconds later."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        streams = {s.index: new.add_stream_from_template(s) for s in old.streams}
        for packet in old.demux():
            if packet.size:
                ticks = round(shift / packet.time_base)
                stream = streams[packet.stream.index]
                packet.pts = None if packet.pts is None else packet.pts + ticks
                packet.dts = None if packet.dts is None else packet.dts + ticks
                packet.stream = stream
                new.mux(packet)
    return target


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "a.wmv"])
def test_a_clock_that_starts_late_is_no_damage(tmp_path: Path, name: str) -> None:
    codec = {"a.mkv": "libx264", "a.webm": "libvpx", "a.wmv": "msmpeg4v3"}[name]
    plain = write_clip(tmp_path / f"plain.{name[2:]}", 20, codec=codec)
    late = remux(plain, tmp_path / name, shift=30)
    with av.open(str(late)) as container:
        assert container.start_time == 30_000_000
    with open_video(late) as video:
        assert video.info.duration == pytest.approx(2, abs=0.11)
        assert [f.time for f in video] == pytest.approx([k / 10 for k in range(20)], abs=2e-3)


def test_a_duration_of_an_asf_may_be_anything_but_not_its_size(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.wmv", 20, codec="msmpeg4v3")
    data = path.read_bytes()
    place = data.index(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")) + 64
    long = (int.from_bytes(data[place : place + 8], "little") + 50_000_000).to_bytes(8, "little")
    path.write_bytes(data[:place] + long + data[place + 8 :])
    with open_video(path) as video:
        assert video.info.duration == pytest.approx(7, abs=0.1)
        assert len(list(video)) == 20
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DamagedVideo, match="the file ends early"):
        read(path)


def write_times(path: Path, times: Sequence[int], unit: Fraction) -> Path:
    """A frame at each time, as it is given."""
    with av.open(str(path), "w", options={"video_track_timescale": str(1 / unit)}) as container:
        stream = container.add_stream("mpeg4", 25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for k, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.asarray(picture(k)), format="rgb24")
            for packet in stream.encode(frame):
                packet.time_base, packet.pts, packet.dts = unit, time, time
                packet.duration = 1
                container.mux(packet)
    return path


def test_a_doubled_time_moves_no_other(tmp_path: Path) -> None:
    times = [0, 1, *(3600 * k for k in range(1, 40))]
    frames = read(write_times(tmp_path / "a.mp4", times, Fraction(1, 90_000)))
    assert frames[1].time == pytest.approx(0, abs=1e-3)
    assert [f.time for f in frames[2:]] == pytest.approx([0.04 * k for k in range(1, 40)])


def write_annexb(path: Path, source: Path, rate: int) -> Path:
    """The H.264 of an MP4 as an AVI has it, without times but of decoding."""
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        video = old.streams.video[0]
        stream = new.add_stream("libx264", rate)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        new.start_encoding()
        bits = av.BitStreamFilterContext("h264_mp4toannexb", video)
        packets = [
            p for given in old.demux(video) for p in bits.filter(given if given.size else None)
        ]
        for number, packet in enumerate(packets):
            packet.time_base, packet.pts, packet.dts = Fraction(1, rate), number, number
            packet.duration, packet.stream = 1, stream
            new.mux(packet)
    return path


def test_an_avi_with_frames_that_are_not_decoded_in_their_order(tmp_path: Path) -> None:
    options = {"x264-params": "bframes=3:b-pyramid=normal:b-adapt=0"}
    plain = write_clip(tmp_path / "a.mp4", 30, encoding=options)
    frames = read(write_annexb(tmp_path / "a.avi", plain, 10))
    assert [f.time for f in frames] == pytest.approx([k / 10 for k in range(30)])
    assert all(differs(f.image, picture(k)) < 6 for k, f in enumerate(frames))


def write_without_rate(path: Path, frames: int) -> Path:
    """A WebM as browsers record it: without the duration of a frame, or of all of them."""
    times = [Fraction(33 * k + 2 * (k % 3), 1000) for k in range(frames)]
    write_clip(path, frames, 1000, codec="libvpx", times=times, options={"live": "1"})
    data = path.read_bytes()
    duration = data.index(bytes.fromhex("23e383"))
    length = data[duration + 3] & 0x7F
    nothing = bytes([0xEC, 0x80 | length + 2]) + bytes(length + 2)
    path.write_bytes(data[:duration] + nothing + data[duration + 4 + length :])
    return path


def test_a_rate_that_is_that_of_the_clock_is_measured(tmp_path: Path) -> None:
    path = write_without_rate(tmp_path / "a.webm", 60)
    with av.open(str(path)) as container:
        assert container.streams.video[0].guessed_rate == 1000
    with open_video(path) as video:
        assert video.info.rate == pytest.approx(30, abs=1)
        assert video.info.frames is None
        frames = list(video)
    assert len(frames) == 60
    assert frames[-1].duration == pytest.approx(1 / 30, abs=0.002)
    writer = SegmentWriter(tmp_path / "0.mp4", tmp_path / "out.mp4", SIZE, video.info.rate)
    for frame in frames:
        writer.write(frame, frame.image)
    writer.close()
    with av.open(str(tmp_path / "0.mp4")) as container:
        extradata = container.streams.video[0].codec_context.extradata
    assert extradata is not None
    assert extradata[3] < 20, "the level of H.264, in tenths"


@pytest.mark.parametrize(("rate", "whole", "cut"), [(60, b"1.2", b"1.3"), (5, b"1.5", b"1.7")])
def test_frames_that_end_a_little_early_are_no_damage(
    tmp_path: Path, rate: int, whole: bytes, cut: bytes
) -> None:
    """By a quarter of a second, or by three frames if that is more."""
    path = write_clip(tmp_path / "a.mkv", rate, rate=rate)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"00:00:01.0", b"00:00:0" + whole))
    assert len(read(path)) == rate
    path.write_bytes(data.replace(b"00:00:01.0", b"00:00:0" + cut))
    with pytest.raises(DamagedVideo):
        read(path)


@pytest.mark.parametrize(("more", "damaged"), [(3, False), (4, True)])
def test_an_avi_may_count_three_frames_more(tmp_path: Path, more: int, damaged: bool) -> None:
    path = write_clip(tmp_path / "a.avi", 20, rate=60, codec="mpeg4")
    data = bytearray(path.read_bytes())
    place = data.index(b"strh") + 40  # the stream's length
    assert data[place] == 20
    data[place] += more
    path.write_bytes(data)
    if damaged:
        with pytest.raises(DamagedVideo):
            read(path)
    else:
        assert len(read(path)) == 20


def test_frames_that_an_edit_list_hides_are_no_damage(tmp_path: Path) -> None:
    plain = write_clip(tmp_path / "plain.mp4", 20, encoding={"bf": "0"})
    path = remux(plain, tmp_path / "a.mp4", shift=-0.5)
    with open_video(path) as video:
        assert video.info.frames == 20
        assert len(list(video)) == 15


def write_ts(path: Path, start: float) -> Path:
    """Two seconds with sound, as a part of something longer."""
    plain = write_clip(path.with_suffix(".mp4"), 20, audio=["aac"])
    return remux(plain, path, start)


@pytest.mark.parametrize("start", [0, 100], ids=["back", "forward"])
def test_parts_that_were_joined_go_on_with_their_sound(tmp_path: Path, start: float) -> None:
    path = tmp_path / "joined.ts"
    parts = [write_ts(tmp_path / "a.ts", 0), write_ts(tmp_path / "b.ts", start)]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = read(path)
    assert len(frames) == 40
    assert all(0.09 < frame.duration < 0.2 for frame in frames)
    writer = SegmentWriter(tmp_path / "0.mp4", tmp_path / "out.mp4", SIZE, 10)
    for frame in frames:
        writer.write(frame, frame.image)
    segment = writer.close()
    assert segment is not None
    assert join([segment], tmp_path / "out.mp4", path) is None
    with av.open(str(tmp_path / "out.mp4")) as container:
        times = [float(f.time) for f in container.decode(audio=0) if f.time is not None]
    assert times[-1] == pytest.approx(frames[-1].time, abs=0.15)
    assert max(b - a for a, b in pairwise(times)) < 0.15


def adjusted(clock: Clock, stream: av.VideoStream, seconds: float) -> float:
    """What a clock makes of the time of a packet, which lasts a tenth of a second."""
    packet = av.Packet(1)
    packet.stream, packet.time_base = stream, Fraction(1, 1000)
    packet.pts = packet.dts = round(seconds * 1000)
    packet.duration = 100
    clock.adjust(packet)
    return float((packet.pts or 0) * packet.time_base)


@pytest.mark.parametrize(
    ("given", "forward", "expected"),
    [
        ([0, 5, 0.2, 5.1], False, [0, 5, 5.1, 5.1]),  # one that is wrong
        ([0, 30], False, [0, 30]),  # a pause
        ([0, 30], True, [0, 0.1]),
        ([5, 4.8, 5.1], False, [5, 4.8, 5.1]),
        ([5, 0, 1, 2], False, [5, 5.1, 6.1, 7.1]),
    ],
)
def test_clock(given: list[float], forward: bool, expected: list[float]) -> None:
    with av.open("/dev/null", "w", format="mpegts") as container:
        stream = container.add_stream("mpeg4", 10)
        clock = Clock(forward)
        times = [adjusted(clock, stream, seconds) for seconds in given]
    assert times == pytest.approx(expected)


def test_streams_come_to_a_new_time_one_after_the_other() -> None:
    with av.open("/dev/null", "w", format="mpegts") as container:
        streams = [container.add_stream("mpeg4", 10) for _ in range(2)]
        clock = Clock(jumps_forward=True)
        given = ((0, 5), (1, 5), (1, 0.05), (0, 5.1), (1, 0.15), (0, 0.1))
        times = [adjusted(clock, streams[number], seconds) for number, seconds in given]
    assert times == pytest.approx([5, 5, 5.1, 5.1, 5.2, 5.15])
