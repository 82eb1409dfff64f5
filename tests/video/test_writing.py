import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange
from PIL import Image

from bentoml_img.video import mp4
from bentoml_img.video.frames import Frame, VideoError
from bentoml_img.video.reading import open_video
from bentoml_img.video.segments import Segment, SegmentWriter
from bentoml_img.video.writing import check_output, join, writing_video
from tests.video.clips import picture, write_clip

TIMES = [0.0, 0.1, 0.2, 0.35, 0.4, 0.7, 0.8, 1.5]
DURATIONS = [0.1, 0.1, 0.15, 0.05, 0.3, 0.1, 0.7, 0.2]
CUT = 3  # frames in the first segment


def segments(
    folder: Path,
    output: Path,
    size: tuple[int, int] = (160, 120),
    start: float = 0,
    last: float = DURATIONS[-1],
) -> list[Segment]:
    closed, durations = [], [*DURATIONS[:-1], last]
    for frames in (range(CUT), range(CUT, len(TIMES))):
        writer = SegmentWriter(folder / f"{frames.start}.part", output, size, 10)
        for k in frames:
            image = picture(5 * k).resize(size, Image.Resampling.NEAREST)
            writer.write(Frame(k, start + TIMES[k], durations[k], image), image)
        segment = writer.close()
        assert segment is not None
        closed.append(segment)
    return closed


ON_A_FULL_DISK = """
import sys
from pathlib import Path
from PIL import Image
from bentoml_img.video.frames import Frame
from bentoml_img.video.segments import SegmentWriter
image = Image.new("RGB", (96, 64))
writer = SegmentWriter(Path(sys.argv[1]), Path(sys.argv[2]), image.size, 10)
try:
    for k in range(100):
        writer.write(Frame(k, k / 10, 0.1, image), image)
finally:
    assert writer.close() is None
"""


@pytest.mark.parametrize("name", ["out.mp4", "out.gif"])
def test_a_full_disk_is_told_and_nothing_stays(tmp_path: Path, name: str) -> None:
    segment = tmp_path / "segment"
    segment.symlink_to("/dev/full")
    command = [sys.executable, "-c", ON_A_FULL_DISK, str(segment), name]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1, "a segmentation fault"
    assert "No space left on device" in done.stderr.splitlines()[-1]
    assert not segment.is_symlink()


@pytest.mark.parametrize("name", ["out.mp4", "out.gif"])
def test_frames_and_times_are_kept(tmp_path: Path, name: str) -> None:
    output = tmp_path / name
    join(segments(tmp_path, output), output)
    with open_video(output) as video:
        frames = list(video)
    assert [frame.time for frame in frames] == pytest.approx(TIMES, abs=1e-4)
    assert [frame.duration for frame in frames] == pytest.approx(DURATIONS, abs=1e-4)
    for k, frame in enumerate(frames):
        error = np.abs(np.asarray(frame.image, np.int16) - np.asarray(picture(5 * k)))
        assert error.mean() < 4
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(("last", "shown"), [(0.2, 0.2), (700, 655.35)])
def test_the_last_frame_of_a_gif_of_pictures_that_start_late(
    tmp_path: Path, last: float, shown: float
) -> None:
    output = tmp_path / "out.gif"
    join(segments(tmp_path, output, start=5, last=last), output)
    with open_video(output) as video:
        durations = [frame.duration for frame in video]
    assert durations == pytest.approx([*DURATIONS[:-1], shown], abs=1e-4)


@pytest.mark.parametrize(
    ("plays", "loop"), [(0, 0), (1, None), (2, 1), (65_536, 65_535), (2**32 - 1, 65_535)]
)
def test_a_gif_says_how_many_times_to_repeat_it(
    tmp_path: Path, plays: int, loop: int | None
) -> None:
    output = tmp_path / "out.gif"
    join(segments(tmp_path, output), output, plays=plays)
    with Image.open(output) as image:
        assert image.info.get("loop") == loop


def test_odd_sides_of_an_mp4_get_one_more_pixel(tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    join(segments(tmp_path, output, (61, 47)), output)
    with open_video(output) as video:
        (width, height), frame = (video.info.width, video.info.height), next(iter(video))
    assert (width, height) == (62, 48)
    column = np.asarray(frame.image, np.int16)[:, 60:]
    assert np.abs(column[:, 0] - column[:, 1]).max() < 12


def test_odd_sides_of_a_gif_stay(tmp_path: Path) -> None:
    output = tmp_path / "out.gif"
    join(segments(tmp_path, output, (61, 47)), output)
    with open_video(output) as video:
        assert (video.info.width, video.info.height) == (61, 47)


def test_an_mp4_plays_in_a_browser(tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    join(segments(tmp_path, output), output)
    with av.open(str(output)) as container:
        (stream,) = container.streams.video
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
    data = output.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize(("height", "matrix"), [(480, 5), (720, 1)])
def test_colours_of_an_mp4_stay_and_are_tagged(tmp_path: Path, height: int, matrix: int) -> None:
    red = Image.new("RGB", (16, height), (255, 0, 0))
    path = tmp_path / "out.mp4"
    writer = SegmentWriter(path, path, red.size, 10)
    writer.write(Frame(0, 0, 0.1, red), red)
    writer.close()
    with open_video(path) as video:
        assert next(iter(video)).image.getpixel((8, 8)) == pytest.approx((255, 0, 0), abs=3)
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_range) == (matrix, ColorRange.MPEG)


@pytest.mark.parametrize(("frames", "before"), [(0, ""), (3, ""), (3, "an earlier result")])
def test_after_an_error_the_frames_until_then_are_there(
    tmp_path: Path, frames: int, before: str
) -> None:
    output = tmp_path / "out.mp4"
    if before:
        output.write_text(before)

    def fail() -> None:
        with writing_video(output, (160, 120), 10) as writer:
            for k in range(frames):
                writer.write(Frame(k, k / 10, 0.1, picture(k)), picture(k))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    if before:
        assert output.read_text() == before
    elif frames:
        with open_video(output) as video:
            assert len(list(video)) == frames
    assert list(tmp_path.iterdir()) == ([output] if frames else [])


def test_a_gif_of_a_noisy_camera_is_small(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    ground = random.integers(0, 256, (48, 64, 3))
    sizes = {}
    for name, noise in (("still.gif", 0), ("noisy.gif", 3), ("restless.gif", 40)):
        with writing_video(tmp_path / name, (64, 48), 10) as writer:
            for k in range(8):
                pixels = ground + random.integers(-noise, noise + 1, ground.shape)
                image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
                writer.write(Frame(k, k / 10, 0.1, image), image)
        sizes[name] = (tmp_path / name).stat().st_size
    assert sizes["noisy.gif"] < 2 * sizes["still.gif"] < sizes["restless.gif"]


def packets(path: Path) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        return [
            (round(float(packet.pts * packet.time_base), 3), bytes(packet))
            for packet in container.demux(audio=0)
            if packet.size and packet.pts is not None
        ]


def test_sound_is_copied_as_far_as_the_pictures_go(tmp_path: Path) -> None:
    sound = write_clip(tmp_path / "in.mp4", frames=40, audio=["aac"])
    output = tmp_path / "out.mp4"
    join(segments(tmp_path, output), output, sound)
    copied, original = packets(output), packets(sound)
    assert copied == original[: len(copied)]
    assert copied[-1][0] == pytest.approx(1.7, abs=0.03)


def test_sound_whose_times_go_back_is_left_out_there(tmp_path: Path) -> None:
    sound = write_clip(tmp_path / "in.mkv", frames=40, audio=("aac",))
    original = packets(sound)
    data = bytearray(sound.read_bytes())
    block = data.index(original[12][1]) - 3  # its time, and a byte of flags, are before its data
    data[block : block + 2] = bytes(2)
    sound.write_bytes(data)
    assert packets(sound)[12][0] < packets(sound)[11][0]
    output = tmp_path / "out.mp4"
    join(segments(tmp_path, output), output, sound)
    copied = [data for _, data in packets(output)]
    assert len(copied) > 60
    assert copied == [data for _, data in original[:12] + original[13:]][: len(copied)]


def test_mp3_is_copied_from_a_container_with_a_coarse_clock(tmp_path: Path) -> None:
    sound = write_clip(tmp_path / "in.avi", frames=40, codec="mpeg4", audio=["libmp3lame"])
    output = tmp_path / "out.mp4"
    join(segments(tmp_path, output), output, sound)
    copied, original = ([data for _, data in packets(file)] for file in (output, sound))
    assert len(copied) > 60
    assert copied == original[: len(copied)]


def test_sound_that_is_encoded_anew_may_go_back_in_time(tmp_path: Path) -> None:
    sound = write_clip(tmp_path / "in.mkv", frames=40, audio=("pcm_s16le",))
    data = bytearray(sound.read_bytes())
    block = data.rindex(packets(sound)[-1][1]) - 3
    data[block : block + 2] = bytes(2)
    sound.write_bytes(data)
    assert packets(sound)[-1][0] < packets(sound)[-2][0]
    output = tmp_path / "out.mp4"
    join(segments(tmp_path, output), output, sound)
    with open_video(output) as video:
        assert video.info.audio == ("aac",)


def test_sound_that_an_mp4_cannot_hold_becomes_aac(tmp_path: Path) -> None:
    sound = write_clip(tmp_path / "in.mkv", frames=40, audio=["pcm_s16le"])
    output = tmp_path / "out.mp4"
    join(segments(tmp_path, output), output, sound)
    with av.open(str(output)) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        samples = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
    assert len(samples) / 48000 == pytest.approx(1.7, abs=0.05)
    tone = np.abs(np.fft.rfft(samples[:48000]))
    assert int(tone.argmax()) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("codec", ["wmav1", "wmav2"])
def test_sound_whose_last_frame_has_no_time(tmp_path: Path, codec: str) -> None:
    sound = write_clip(tmp_path / "in.wmv", frames=16, codec="msmpeg4v3", audio=[codec])
    output = tmp_path / "out.mp4"
    assert join(segments(tmp_path, output), output, sound) is None
    with av.open(str(output)) as container:
        seconds = sum(frame.samples for frame in container.decode(audio=0)) / 48_000
    assert seconds == pytest.approx(1.6, abs=0.1)


def test_a_packet_of_sound_that_cannot_be_decoded_is_passed_over(tmp_path: Path) -> None:
    sound = write_clip(tmp_path / "in.avi", frames=16, codec="mpeg4", audio=["mp2"])
    packet = packets(sound)[12][1]
    sound.write_bytes(sound.read_bytes().replace(packet, b"\xff" * len(packet)))
    output = tmp_path / "out.mp4"
    assert join(segments(tmp_path, output), output, sound) is None
    assert packets(output)[-1][0] == pytest.approx(1.6, abs=0.1)


def test_an_error_of_the_sound_does_not_cost_the_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copied(*_: Any) -> Any:
        raise AssertionError

    sound = write_clip(tmp_path / "in.mp4", frames=40, audio=["aac"])
    output = tmp_path / "out.mp4"
    monkeypatch.setattr(mp4, "_copied", copied)
    warning = join(segments(tmp_path, output), output, sound)
    assert warning == "the sound is left out (AssertionError)"
    with open_video(output) as video:
        assert video.info.audio == ()
        assert len(list(video)) == len(TIMES)


def test_sound_that_becomes_mono(tmp_path: Path) -> None:
    """As television does at a break."""
    sound = tmp_path / "in.ts"
    for first, channels in ((0, 2), (48_000, 1)):
        part = tmp_path / f"{channels}.ts"
        with av.open(str(part), "w", format="mpegts") as container:
            stream = container.add_stream("mp2", 48_000)
            stream.layout = layout = "stereo" if channels == 2 else "mono"
            for pts in range(first, first + 48_000, 1152):
                samples = np.zeros((1, 1152 * channels), np.int16)
                frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
                frame.sample_rate, frame.pts = 48_000, pts
                frame.time_base = Fraction(1, 48_000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        with sound.open("ab") as file:
            file.write(part.read_bytes())
    output = tmp_path / "out.mp4"
    join(segments(tmp_path, output), output, sound)
    with av.open(str(output)) as container:
        seconds = sum(frame.samples for frame in container.decode(audio=0)) / 48_000
    assert seconds == pytest.approx(1.7, abs=0.1)


def test_sound_in_an_unknown_codec_is_left_out(tmp_path: Path) -> None:
    sound = write_clip(tmp_path / "in.mkv", frames=20, audio=["pcm_s16le", "aac"])
    data = sound.read_bytes()
    assert b"A_PCM/INT/LIT" in data
    sound.write_bytes(data.replace(b"A_PCM/INT/LIT", b"A_XYZ/INT/LIT"))
    output = tmp_path / "out.mp4"
    join(segments(tmp_path, output), output, sound)
    with open_video(output) as video:
        assert video.info.audio == ("aac",)


def test_other_suffixes_are_refused() -> None:
    with pytest.raises(VideoError, match=r"cannot write a\.avi: the result is a \.mp4 or a \.gif"):
        check_output(Path("a.avi"))
