import os
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bentoml_img.drawing.segmentation import blend
from bentoml_img.offline import mask as masking
from bentoml_img.system import atomic
from bentoml_img.video import mp4, writing
from bentoml_img.video.reading import open_video
from bentoml_img.video.segments import Segment
from tests.commands import Invoke
from tests.samples import photo
from tests.segment_script.running import write_video
from tests.video.clips import write_clip


def test_a_photo_and_a_video_of_one_name_have_results_of_their_own(
    invoke: Invoke, tmp_path: Path
) -> None:
    photo(60, 40).save(tmp_path / "live.jpg")
    write_video(tmp_path / "live.mp4", 2)
    result = invoke(tmp_path)
    assert result.exit_code == 0, result.output
    names = [Path(line).name for line in result.stdout.splitlines()]
    assert names == ["live_seg.png", "live_overlay.jpg", "live_seg.mp4"]


def test_videos(invoke: Invoke, tmp_path: Path) -> None:
    write_video(tmp_path / "video.mkv", 6)
    stills = [photo(60, 40).rotate(10 * k) for k in range(3)]
    stills[0].save(tmp_path / "moving.gif", save_all=True, append_images=stills[1:], duration=80)
    stills[0].save(tmp_path / "still.gif")
    (tmp_path / "none.mp4").write_text("no video")
    result = invoke(tmp_path)
    assert result.exit_code == 1
    names = ["moving_seg.gif", "still_seg.png", "still_overlay.jpg", "video_seg.mp4"]
    assert result.stdout.splitlines() == [str(tmp_path / name) for name in names]
    assert "none.mp4" in result.stderr
    with open_video(tmp_path / "video_seg.mp4") as video:
        assert (video.info.width, video.info.height) == (96, 64)
        assert [round(frame.time, 2) for frame in video] == [0, 0.1, 0.2, 0.3, 0.4, 0.5]
    with Image.open(tmp_path / "moving_seg.gif") as moving:
        assert (getattr(moving, "n_frames", 1), moving.info["duration"]) == (3, 80)
        assert "loop" not in moving.info, "it is played once, as its source"
    assert len(list(tmp_path.iterdir())) == 8


def test_what_is_left_of_a_killed_run_is_hidden_and_deleted(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_video(tmp_path / "video.mp4", 2)
    done, old = tmp_path / "done", time.time() - 2 * atomic.ABANDONED

    def killed(segments: Sequence[Segment], output: Path, *_: object) -> None:
        shutil.copytree(output.parent, done)
        for path in done.iterdir():
            os.utime(path, (old, old))

    with monkeypatch.context() as patch:
        patch.setattr(writing, "join", killed)
        invoke(tmp_path / "video.mp4", "--output-dir", tmp_path / "killed")
    (left,) = done.iterdir()
    assert left.name.startswith(".video_seg.mp4.")
    invoke(tmp_path / "video.mp4", "--output-dir", done)
    assert [path.name for path in done.iterdir()] == ["video_seg.mp4"]


def test_sound_that_is_left_out_is_told(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def audible(sound: Path) -> list[int]:
        raise RuntimeError("no such layout")

    path = write_clip(tmp_path / "video.mp4", frames=3, audio=["aac"])
    monkeypatch.setattr(mp4, "_audible", audible)
    result = invoke(path)
    assert result.exit_code == 0
    assert f"{path}: warning: the sound is left out (no such layout)" in result.stderr


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C at the thirteenth frame."""
    drawn = iter(range(20))

    def blend_and_interrupt(*answer: Any) -> None:
        blend(*answer)
        if next(drawn) == 12:
            signal.raise_signal(signal.SIGINT)
            time.sleep(1)

    monkeypatch.setattr(masking, "blend", blend_and_interrupt)


@pytest.mark.usefixtures("interrupted")
def test_ctrl_c_leaves_an_earlier_result(invoke: Invoke, tmp_path: Path) -> None:
    write_video(tmp_path / "video.mp4", 20)
    earlier = tmp_path / "video_seg.mp4"
    earlier.write_text("an earlier result")
    result = invoke(tmp_path / "video.mp4")
    assert (result.exit_code, result.stdout) == (130, "")
    _, error = result.stderr.splitlines()
    assert error == f"Error: {tmp_path / 'video.mp4'}: interrupted, without a new result"
    assert earlier.read_text() == "an earlier result"


@pytest.mark.usefixtures("interrupted")
def test_ctrl_c_keeps_what_was_done(invoke: Invoke, tmp_path: Path) -> None:
    write_video(tmp_path / "video.mp4", 20)
    result = invoke(tmp_path / "video.mp4")
    done = tmp_path / "video_seg.mp4"
    assert (result.exit_code, result.stdout) == (130, f"{done}\n")
    _, error = result.stderr.splitlines()  # after how fast it was
    assert error == f"Error: {tmp_path / 'video.mp4'}: interrupted; {done} has what there is"
    with open_video(done) as video:
        assert 6 < len(list(video)) < 20
    assert len(list(tmp_path.iterdir())) == 2


def test_a_video_that_breaks_off(invoke: Invoke, tmp_path: Path) -> None:
    write_video(tmp_path / "video.mkv", 20)
    data = (tmp_path / "video.mkv").read_bytes()
    (tmp_path / "video.mkv").write_bytes(data[: len(data) * 3 // 4])
    result = invoke(tmp_path / "video.mkv")
    done = tmp_path / "video_seg.mp4"
    assert (result.exit_code, result.stdout) == (1, f"{done}\n")
    assert f"Error: {tmp_path / 'video.mkv'} is damaged: it ends after " in result.stderr
    assert f"; {done} has what there is" in result.stderr
    with open_video(done) as video:
        assert 0 < len(list(video)) < 20


def test_an_error_in_a_video_keeps_what_was_done(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_video(tmp_path / "video.mp4", 10)
    drawn = iter(range(5))

    def failing(*answer: Any) -> None:
        if next(drawn, None) is None:
            raise RuntimeError("the engine fails")

    monkeypatch.setattr(masking, "blend", failing)
    result = invoke(tmp_path / "video.mp4")
    assert isinstance(result.exception, RuntimeError)
    with open_video(tmp_path / "video_seg.mp4") as video:
        assert len(list(video)) == 5
    assert len(list(tmp_path.iterdir())) == 2
