"""Pictures that are not plain RGB of one size: interlaced, of a high range, of several streams."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from bentoml_img.video.frames import UnsupportedVideo
from bentoml_img.video.reading import open_video
from tests.video.clips import SIZE, add_sound, differs, picture, read, tone, write_clip, write_gif


def encode(
    container: av.container.OutputContainer,
    stream: av.VideoStream,
    images: Sequence[Image.Image],
    rate: int = 10,
) -> None:
    for k, image in enumerate(images):
        frame = av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")
        frame.pts, frame.time_base = k, Fraction(1, rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def woven(k: int) -> Image.Image:
    """A bar at two moments, one in the even lines and one in the odd ones."""
    pixels = np.full((120, 160, 3), 128, np.uint8)
    for field in (0, 1):
        left = 10 + 8 * (2 * k + field)
        pixels[field::2, left : left + 20] = 230
    return Image.fromarray(pixels)


@pytest.mark.parametrize("interlaced", [True, False])
def test_only_what_is_interlaced_is_made_whole(tmp_path: Path, interlaced: bool) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        how = "tff=1:qp=10" if interlaced else "qp=10"
        stream = container.add_stream("libx264", 10, options={"x264-params": how})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        encode(container, stream, [woven(k) for k in range(8)])
    frames = read(path)
    assert [f.time for f in frames] == pytest.approx([k / 10 for k in range(8)], abs=2e-3)
    for frame in frames:
        lines = np.asarray(frame.image.convert("L"), np.int16)[20:100]
        combs = np.abs(2 * lines[1:-1] - lines[:-2] - lines[2:]).max()
        assert combs < 60 if interlaced else combs > 150


def test_colours_of_interlaced_frames_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 10, options={"x264-params": "tff=1:qp=10"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        encode(container, stream, [picture(k) for k in range(6)])
    assert all(differs(f.image, picture(k)) < 6 for k, f in enumerate(read(path)))


@pytest.mark.parametrize(
    ("default", "shown"), [((False, False), 1), ((True, False), 0), ((True, True), 1)]
)
def test_the_stream_that_is_shown(tmp_path: Path, default: tuple[bool, bool], shown: int) -> None:
    """The default one, or else the largest."""
    path = tmp_path / "a.mkv"
    sizes = ((80, 60), SIZE)
    with av.open(str(path), "w") as container:
        streams = []
        for size, is_default in zip(sizes, default, strict=True):
            stream = container.add_stream("libx264", 10)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            stream.disposition = av.stream.Disposition(int(is_default))
            streams.append(stream)
        container.start_encoding()
        for stream, size in zip(streams, sizes, strict=True):
            encode(container, stream, [picture(k).resize(size) for k in range(3)])
    with open_video(path) as video:
        assert (video.info.width, video.info.height) == sizes[shown]


def test_a_cover_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.m4a"), "w", format="mp4") as container:
        sound, cover = add_sound(container, "aac"), container.add_stream("mjpeg", 10)
        cover.width, cover.height, cover.pix_fmt = *SIZE, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        container.start_encoding()
        encode(container, cover, [picture(0)])
        for given in (tone(0, 10), None):
            container.mux(sound.encode(given))
    with pytest.raises(UnsupportedVideo, match="no video stream: only audio"):
        open_video(tmp_path / "a.m4a")


@pytest.mark.parametrize("interlaced", [False, True])
def test_a_change_of_size_distorts_nothing_and_is_told(tmp_path: Path, interlaced: bool) -> None:
    path = tmp_path / "a.ts"
    parts, how = [], {"bf": "0", "x264-params": "tff=1" if interlaced else ""}
    for k, size in enumerate([SIZE, (120, 120)]):
        image = picture(10).resize(size)
        part = write_clip(
            tmp_path / f"{k}.ts", pictures=iter([image] * 10), size=size, encoding=how
        )
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    with open_video(path) as video:
        frames = list(video)
        (warning,) = video.warnings
    assert "change from 160×120 to 120×120 pixels at 0.9 seconds" in warning
    assert {frame.image.size for frame in frames} == {SIZE}
    last = frames[-1].image
    assert differs(last.crop((20, 0, 140, 120)), picture(10).resize((120, 120))) < 6
    assert np.asarray(last)[:, :18].max() < 20, "it is filled with black"


@pytest.mark.parametrize(("transfer", "white"), [("arib-std-b67", 0.75), ("smpte2084", 0.58)])
def test_a_high_range_is_brought_to_that_of_a_screen(
    tmp_path: Path, transfer: str, white: float
) -> None:
    """A white sheet is nearly white, grey is grey, and what is brighter differs from it."""
    path = tmp_path / "a.mkv"
    colours = f"transfer={transfer}:colorprim=bt2020:colormatrix=bt2020nc:qp=4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 10, options={"x264-params": colours})
        stream.width, stream.height, stream.pix_fmt = 96, 32, "yuv420p10le"
        levels = np.repeat([0.5 * white, white, 0.95], 32)
        luma = np.broadcast_to((64 + 876 * levels).astype(np.uint16), (32, 96))
        planes = np.concatenate([luma.reshape(-1), np.full(2 * 16 * 48, 512, np.uint16)])
        frame = av.VideoFrame.from_ndarray(planes.reshape(48, 96), format="yuv420p10le")
        frame.pts, frame.time_base = 0, Fraction(1, 10)
        for given in (frame, None):
            container.mux(stream.encode(given))
    pixels = np.asarray(read(path)[0].image, np.int16)[16]
    assert np.ptp(pixels, axis=1).max() < 4
    grey, sheet, lamp = pixels[[16, 48, 80], 0]
    assert 240 < sheet < lamp <= 255
    assert 60 < grey < 160


@pytest.mark.parametrize(
    ("name", "format_name", "codec"),
    [("a.h264", "h264", "libx264"), ("a.mjpeg", "mjpeg", "mjpeg"), ("a.dv", "dv", "dvvideo")],
)
def test_a_raw_stream_is_said_to_be_one(
    tmp_path: Path, name: str, format_name: str, codec: str
) -> None:
    path = tmp_path / name
    with av.open(str(path), "w", format=format_name) as container:
        stream = container.add_stream(codec, 25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = (720, 576) if codec == "dvvideo" else SIZE
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        size = stream.width, stream.height
        encode(container, stream, [picture(k).resize(size) for k in range(5)], rate=25)
    advice = rf"{name} is a raw stream: .* \(ffmpeg -i {name} -c copy a\.mov\)"
    with pytest.raises(UnsupportedVideo, match=advice):
        open_video(path)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
@pytest.mark.parametrize(("delay", "shown"), [(10, 0.1), (16, 0.016), (20, 0.02)])
def test_hasty_frames(tmp_path: Path, suffix: str, delay: int, shown: float) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "gif":
        write_gif(path, [delay] * 3)
        shown = 0.02 if delay == 20 else 0.1  # it knows hundredths only
    else:
        first, *rest = [picture(k) for k in range(3)]
        first.save(path, save_all=True, append_images=rest, duration=delay)
    assert [frame.duration for frame in read(path)] == pytest.approx([shown] * 3)
