import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from bentoml_img.input_files import inputs_of
from bentoml_img.video.frames import DamagedVideo, Frame, VideoError
from bentoml_img.video.pixels import UNTAGGED, picture_of
from bentoml_img.video.reading import open_video, pictures
from tests.video.clips import (
    SIZE,
    broken,
    differs,
    picture,
    read,
    write_clip,
    write_gif,
    write_header,
)

CODECS = {
    "a.mp4": "libx264",
    "a.mov": "libx264",
    "a.avi": "mpeg4",
    "a.mkv": "libx264",
    "a.webm": "libvpx",
}
RARER = {
    "a.m4v": "libx264",
    "a.3gp": "libx264",
    "a.f4v": "libx264",
    "a.asf": "mpeg4",
    "a.vob": "mpeg2video",
    "a.mxf": "mpeg2video",
    "a.ogv": "libvpx",
    "a.flv": "libx264",
    "a.wmv": "mpeg4",
    "a.mpg": "mpeg2video",
    "a.ts": "libx264",
    "a.m2ts": "libx264",
}
UNEVEN = [Fraction(t, 1000) for t in (0, 100, 150, 400, 410, 900)]


@pytest.mark.parametrize("name", RARER)
def test_videos_that_are_taken_from_a_folder(tmp_path: Path, name: str) -> None:
    path = write_clip(tmp_path / name, frames=8, rate=25, codec=RARER[name])
    assert inputs_of(tmp_path) == [path]
    frames = read(path)
    assert len(frames) == 8
    assert all(differs(frame.image, picture(k)) < 10 for k, frame in enumerate(frames))


@pytest.mark.parametrize("name", CODECS)
def test_frames_of_a_container(tmp_path: Path, name: str) -> None:
    path = write_clip(tmp_path / name, frames=12, codec=CODECS[name])
    with open_video(path) as video:
        assert (video.info.width, video.info.height) == SIZE
        assert video.info.rate == pytest.approx(10)
        assert video.info.frames == 12
        frames = list(video)
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.time for frame in frames] == pytest.approx([k / 10 for k in range(12)], abs=2e-3)
    assert sum(frame.duration for frame in frames) == pytest.approx(1.2, abs=5e-3)
    assert all(differs(frame.image, picture(k)) < 6 for k, frame in enumerate(frames))
    assert differs(frames[0].image, picture(11)) > 6


@pytest.mark.parametrize("name", ["a.mp4", "a.avi"])
def test_a_pause_is_no_damage(tmp_path: Path, name: str) -> None:
    """An AVI counts frames in it that are not there."""
    times = [Fraction(t, 10) for t in (0, 1, 2, 3, 4, 9, 10, 11)]
    frames = read(write_clip(tmp_path / name, frames=8, codec=CODECS[name], times=times))
    assert [frame.time for frame in frames] == pytest.approx([float(t) for t in times], abs=2e-3)


def test_a_packet_that_cannot_be_decoded_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    with av.open(str(write_clip(tmp_path / "whole.avi", 12, codec="mpeg4"))) as source:
        packets = [bytes(packet) for packet in source.demux(video=0) if packet.size]
    data = (tmp_path / "whole.avi").read_bytes()
    path.write_bytes(data.replace(packets[6], bytes(len(packets[6]))))
    assert len(read(path)) == 11


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    frames = read(write_clip(tmp_path / "a.mp4", frames=6, times=UNEVEN))
    assert [frame.time for frame in frames] == pytest.approx([float(t) for t in UNEVEN])
    assert [frame.duration for frame in frames[:5]] == pytest.approx([0.1, 0.05, 0.25, 0.01, 0.49])


def test_frames_at_the_same_time_come_one_after_another(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w", options={"video_track_timescale": "1000000"}) as container:
        stream = container.add_stream("mpeg4", 10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for k in range(4):
            frame = av.VideoFrame.from_ndarray(np.asarray(picture(k)), format="rgb24")
            for packet in stream.encode(frame):
                packet.time_base = Fraction(1, 1_000_000)
                packet.pts = packet.dts = 3 * k
                packet.duration = 3
                container.mux(packet)
    with open_video(path) as video:
        assert video.info.rate == 10_000
        assert [frame.time for frame in video] == pytest.approx([k / 10_000 for k in range(4)])


@pytest.mark.parametrize("rate", [0, -1, 20_000, float("inf"), float("nan")])
def test_a_rate_that_is_none(tmp_path: Path, rate: float) -> None:
    picture(0).save(tmp_path / "0.png")
    with pytest.raises(VideoError, match=f"a rate of {rate:g} frames a second"):
        open_video(tmp_path, rate)


def test_rotation_is_applied(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=2, rotation=90)
    with open_video(path) as video:
        assert (video.info.width, video.info.height) == SIZE[::-1]
        frame = next(iter(video))
    assert differs(frame.image, picture(0).rotate(90, expand=True)) < 6


def test_pixels_become_square(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=2, aspect=Fraction(4, 3))
    with open_video(path) as video:
        assert (video.info.width, video.info.height) == (213, 120)
        frame = next(iter(video))
    assert differs(frame.image, picture(0).resize((213, 120))) < 6


# As MP4 has them: a and b make x, c and d make y; 16 bits behind the point, of u, v, w 30.
MATRICES = {
    Image.Transpose.FLIP_LEFT_RIGHT: (-1, 0, 0, 1),
    Image.Transpose.FLIP_TOP_BOTTOM: (1, 0, 0, -1),
    Image.Transpose.TRANSPOSE: (0, 1, 1, 0),
    Image.Transpose.TRANSVERSE: (0, -1, -1, 0),
    Image.Transpose.ROTATE_270: (0, 1, -1, 0),
}


@pytest.mark.parametrize("way", MATRICES, ids=lambda way: way.name)
def test_a_display_matrix_may_mirror(tmp_path: Path, way: Image.Transpose) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=2)
    one, unit = 1 << 16, 1 << 30
    a, b, c, d = (one * number for number in MATRICES[way])
    data = path.read_bytes()
    plain = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, unit)
    place = data.index(plain, data.index(b"tkhd"))
    turned = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, unit)
    path.write_bytes(data[:place] + turned + data[place + len(plain) :])
    frame = read(path)[0]
    assert differs(frame.image, picture(0).transpose(way)) < 6


@pytest.mark.parametrize(("height", "matrix"), [(719, 5), (720, 1)])
def test_colours_without_a_tag_are_those_that_players_take_them_for(
    height: int, matrix: int
) -> None:
    red = av.VideoFrame.from_ndarray(np.full((height, 16, 3), (230, 20, 20), np.uint8))
    frame = red.reformat(format="yuv444p", dst_colorspace=matrix, dst_color_range="MPEG")
    frame.colorspace = UNTAGGED
    pixel = picture_of(frame, Fraction(1)).getpixel((8, 8))
    assert pixel == pytest.approx((230, 20, 20), abs=3)


def test_colours_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    options = {"x264-params": "colormatrix=YCgCo"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 10, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.asarray(picture(0)), format="rgb24")
        for given in (frame, None):
            container.mux(stream.encode(given))
    with pytest.raises(VideoError, match=r"a\.mp4 has colours that cannot be read here"):
        open_video(path)


def test_audio_is_known(tmp_path: Path) -> None:
    with open_video(write_clip(tmp_path / "a.mp4", frames=10, audio=["aac"])) as video:
        assert video.info.audio == ("aac",)


def test_results_are_no_frames_of_a_folder(tmp_path: Path) -> None:
    for name in ("0.png", "1.png", "0_result.jpg", "0_seg.png"):
        picture(0).save(tmp_path / name)
    assert [file.name for file in pictures(tmp_path)] == ["0.png", "1.png"]


def test_a_folder_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    for k in (0, 1, 2, 10):
        picture(k).save(tmp_path / f"frame{k}.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    with open_video(tmp_path, rate=4) as video:
        frames = list(video)
    assert [frame.time for frame in frames] == [0, 0.25, 0.5, 0.75]
    assert all(
        differs(frame.image, picture(k)) == 0
        for frame, k in zip(frames, (0, 1, 2, 10), strict=True)
    )


def test_names_come_before_numbers(tmp_path: Path) -> None:
    names = ["a2", "a10", "b1", "cam1_002", "cam2_001", "title"]
    for name in names:
        picture(0).save(tmp_path / f"{name}.png")
    assert [file.stem for file in pictures(tmp_path)] == names


def test_a_folder_of_different_sizes(tmp_path: Path) -> None:
    picture(0).save(tmp_path / "0.png")
    picture(1).resize((80, 60)).save(tmp_path / "1.png")
    with pytest.raises(VideoError, match=r"1\.png has 80×60 pixels and 0\.png 160×120"):
        open_video(tmp_path)
    (tmp_path / "1.png").write_bytes(b"cut off")
    frames: list[Frame] = []
    with open_video(tmp_path) as video, pytest.raises(DamagedVideo, match=r"1\.png: not a picture"):
        frames.extend(video)
    assert len(frames) == 1


def test_one_frame(tmp_path: Path) -> None:
    (frame,) = read(write_clip(tmp_path / "a.mp4", frames=1))
    assert frame.duration == pytest.approx(0.1, abs=1e-3)


@pytest.mark.parametrize("tag", [b"junk and no time..", b"00:00:nan000000000"])
def test_a_tag_that_is_no_duration(tmp_path: Path, tag: bytes) -> None:
    path = write_clip(tmp_path / "a.mkv", frames=8)
    path.write_bytes(path.read_bytes().replace(b"00:00:00.800000000", tag))
    with open_video(path) as video:
        assert video.info.frames == len(list(video)) == 8


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.webm", "a.mkv"])
def test_cut_short(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (30, 48, 64, 3), np.uint8)
    options = {"movflags": "faststart"} if name == "a.mp4" else None
    path = write_clip(
        tmp_path / name,
        codec=CODECS[name],
        pictures=(Image.fromarray(pixels) for pixels in noise),
        size=(64, 48),
        options=options,
    )
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    frames: list[Frame] = []
    with open_video(path) as video, pytest.raises(DamagedVideo) as caught:
        frames.extend(video)
    assert 5 < len(frames) < 25
    assert f"it ends after {len(frames)} of 30 frames" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tag", ["soon", "1:2", "00:00:nan", "99999:00:00"])
def test_a_duration_that_is_none_is_left_aside(tmp_path: Path, tag: str) -> None:
    path = write_clip(tmp_path / "a.mkv", frames=8)
    written = b"00:00:00.800000000"
    data = path.read_bytes()
    assert written in data
    path.write_bytes(data.replace(written, tag.ljust(len(written)).encode()))
    with open_video(path) as video:
        assert video.info.duration == pytest.approx(0.8)
        assert len(list(video)) == 8


def test_frames_too_far_apart_are_refused(tmp_path: Path) -> None:
    times = [Fraction(t) for t in (0, 1, 30_000)]
    path = write_clip(tmp_path / "a.mkv", frames=3, times=times)
    with pytest.raises(VideoError, match=r"a\.mkv: frame 1 would be shown for more than 6 hours"):
        read(path)


BROKEN = {
    "text": "not a video",
    "notes": "not a video",
    "play list": "not a video",
    "empty": "is empty",
    "missing": "is not there",
    "no index": "cut short",
    "no frames": "no frame|not a video|cut short",
    "audio only": "no video stream: only audio",
    "an empty folder": "no pictures",
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_no_video(tmp_path: Path, what: str) -> None:
    with pytest.raises(VideoError, match=BROKEN[what]) as caught:
        open_video(broken(tmp_path, what))
    assert "\n" not in str(caught.value)
    assert "a.mp4" in str(caught.value)


@pytest.mark.parametrize(("width", "height"), [(10_000, 10_000), (20_000, 120)])
def test_too_large(tmp_path: Path, width: int, height: int) -> None:
    data = write_gif(tmp_path / "a.gif", [50, 50]).read_bytes()
    size = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    (tmp_path / "a.gif").write_bytes(data[:6] + size + data[10:])
    with pytest.raises(VideoError, match=f"{width}×{height} pixels"):
        open_video(tmp_path / "a.gif")


def test_too_large_containers(tmp_path: Path) -> None:
    write_header(tmp_path / "a.avi", 10_000)
    with pytest.raises(VideoError, match="10000×10000 pixels"):
        open_video(tmp_path / "a.avi")
    write_clip(tmp_path / "wide.mkv", frames=2, aspect=Fraction(105))
    with pytest.raises(VideoError, match="16800×120 pixels"):
        open_video(tmp_path / "wide.mkv")
