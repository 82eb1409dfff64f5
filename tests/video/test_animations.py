from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from bentoml_img.structure.chunks import MAX_CHUNKS
from bentoml_img.video.frames import DamagedVideo, Frame, VideoError
from bentoml_img.video.reading import is_animation, open_video
from tests.samples import png_chunk
from tests.video.clips import SIZE, differs, picture, read, write_clip, write_gif


def test_delays_of_a_gif(tmp_path: Path) -> None:
    frames = read(write_gif(tmp_path / "a.gif", [40, 250, 10, 70]))
    assert [frame.duration for frame in frames] == pytest.approx([0.04, 0.25, 0.1, 0.07])
    assert frames[3].time == pytest.approx(0.39)
    assert all(differs(frame.image, picture(k)) < 3 for k, frame in enumerate(frames))


@pytest.mark.parametrize(
    ("suffix", "loop", "plays"),
    [
        ("gif", None, 1),
        ("gif", 0, 0),
        ("gif", 2, 3),
        ("png", 0, 0),
        ("png", 2, 2),
        ("webp", 0, 0),
        ("webp", 2, 2),
    ],
)
def test_how_many_times_an_animation_is_played(
    tmp_path: Path, suffix: str, loop: int | None, plays: int
) -> None:
    """A GIF says how many times to repeat that."""
    path = tmp_path / f"a.{suffix}"
    picture(0).save(path, save_all=True, append_images=[picture(1)], loop=loop)
    with open_video(path) as video:
        assert video.info.plays == plays


def test_a_text_in_a_png_that_is_named_like_its_number_of_plays(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture(0).save(path, save_all=True, append_images=[picture(1)], loop=2)
    data = path.read_bytes()
    start = data.index(b"fcTL") - 4
    path.write_bytes(data[:start] + png_chunk(b"tEXt", b"loop\0ten") + data[start:])
    with open_video(path) as video:
        assert video.info.plays == 0


def test_a_frame_of_a_gif_beyond_the_picture(tmp_path: Path) -> None:
    """Decoders make the picture larger then, and a hundred bytes can ask for gigabytes."""
    small, large = (tmp_path / name for name in ("a.gif", "b.gif"))
    Image.new("P", (10, 10)).save(small)
    Image.new("P", (300, 20)).save(large)
    colours = 3 << (large.read_bytes()[10] & 7) + 1
    small.write_bytes(small.read_bytes()[:-1] + large.read_bytes()[13 + colours :])
    with pytest.raises(VideoError, match="10×10 pixels, and a frame that reaches to 300×20"):
        open_video(small)


def test_an_animation_is_known_by_its_content(tmp_path: Path) -> None:
    path = write_gif(tmp_path / "a.gif", [50, 60])
    frames = read(path.rename(tmp_path / "a.mp4"))
    assert [frame.duration for frame in frames] == pytest.approx([0.05, 0.06])


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
@pytest.mark.parametrize("frames", [1, 2])
def test_a_single_frame_is_an_animation_too(tmp_path: Path, suffix: str, frames: int) -> None:
    first, *rest = [picture(k) for k in range(frames)]
    first.save(tmp_path / f"a.{suffix}", save_all=True, append_images=rest)
    assert is_animation(tmp_path / f"a.{suffix}")


def test_no_other_file_is_an_animation(tmp_path: Path) -> None:
    picture(0).save(tmp_path / "a.jpg")
    assert not is_animation(tmp_path / "a.jpg")
    assert not is_animation(write_clip(tmp_path / "a.mp4", frames=2))
    with pytest.raises(VideoError, match=r"b\.gif is not there"):
        is_animation(tmp_path / "b.gif")


@pytest.mark.parametrize(
    ("text", "seconds"), [("abc", 0.1), ("nan", 0.1), ("-1", 0.1), ("inf", 655.35), ("1e9", 655.35)]
)
def test_a_delay_that_is_none_is_left_aside(tmp_path: Path, text: str, seconds: float) -> None:
    path = tmp_path / "a.png"
    about = PngInfo()
    about.add_text("duration", text)
    picture(0).save(path, pnginfo=about)
    (frame,) = read(path)
    assert frame.duration == pytest.approx(seconds)


def test_grey_of_16_bits_is_as_bright_in_a_video(tmp_path: Path) -> None:
    grey = np.full((48, 64), 0x4080, np.uint16)
    Image.fromarray(grey).save(tmp_path / "a.png")
    (frame,) = read(tmp_path / "a.png")
    assert frame.image.getpixel((0, 0)) == (0x40,) * 3


def test_an_animation_is_upright(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    first, second = picture(0), picture(5)
    first.save(path, save_all=True, append_images=[second], lossless=True, exif=exif, duration=100)
    with open_video(path) as video:
        assert (video.info.width, video.info.height) == SIZE[::-1]
        frames = list(video)
    assert differs(frames[1].image, second.transpose(Image.Transpose.ROTATE_270)) == 0


def test_the_picture_for_those_who_show_no_animation_is_no_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    pictures = [picture(k) for k in range(4)]
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], default_image=True, duration=200
    )
    with open_video(path) as video:
        assert video.info.frames == 3
        frames = list(video)
    assert [frame.time for frame in frames] == pytest.approx([0, 0.2, 0.4])
    assert all(differs(f.image, picture(k)) == 0 for k, f in enumerate(frames, 1))


def test_a_gif_of_tiny_blocks_is_refused(tmp_path: Path) -> None:
    path = write_gif(tmp_path / "a.gif", [50] * 2)
    data = path.read_bytes()
    assert data.endswith(b";")
    path.write_bytes(data[:-1] + b"!\xfe" + b"\x01a" * 200_000 + b"\0;")
    with pytest.raises(VideoError, match="a GIF of more than 100000 blocks"):
        read(path)


def test_a_gif_cut_short(tmp_path: Path) -> None:
    path = write_gif(tmp_path / "a.gif", [50] * 20)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    frames: list[Frame] = []
    with open_video(path) as video, pytest.raises(DamagedVideo, match="it ends after"):
        frames.extend(video)
    assert 5 < len(frames) < 20


def test_an_animation_is_looked_at_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture(0).save(path, save_all=True, append_images=[picture(1)])
    data, head = path.read_bytes(), 8 + 25
    some, many = png_chunk(b"prVt", bytes(2**23)), png_chunk(b"prVt", b"") * (MAX_CHUNKS * 2)
    path.write_bytes(data[:head] + some + data[head:])
    assert len(read(path)) == 2
    path.write_bytes(data[:head] + some + many + data[head:])
    with pytest.raises(VideoError, match=r"a.png is damaged: a PNG of more than \d+ chunks"):
        open_video(path)
