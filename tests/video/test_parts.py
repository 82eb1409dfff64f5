import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bentoml_img.video.options import Options
from bentoml_img.video.parts import held
from bentoml_img.video.pipeline import Interrupted, process_video
from bentoml_img.video.reading import open_video
from bentoml_img.video.results import FrameProgress, Result
from tests.video.clips import ColourDetector, write_clip

FRAMES = 20
OPTIONS = Options()
WRITTEN = "it is being written by another run"


def plain(image: Image.Image, *_: object) -> Image.Image:
    return image


def annotated(source: Path, output: Path, **others: Any) -> Result:
    detect = ColourDetector()
    return process_video(source, output, detect, plain, OPTIONS, identity="colours", **others)


def at_frame(number: int, call: Callable[[], object]) -> Callable[[FrameProgress], None]:
    def on_progress(progress: FrameProgress) -> None:
        if progress.done == number:
            call()

    return on_progress


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "street.mp4", FRAMES)


@pytest.mark.parametrize("resume", [True, False])
def test_a_result_is_written_by_one_run_at_a_time(resume: bool, clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"

    def again() -> None:
        with pytest.raises(BlockingIOError, match=WRITTEN):
            annotated(clip, output, resume=resume)

    result = annotated(clip, output, on_progress=at_frame(5, again))
    assert result.frames == FRAMES
    with open_video(output) as video:
        assert len(list(video)) == FRAMES
    assert not (tmp_path / "out.mp4.parts").exists()


def test_another_result_may_be_written_meanwhile(clip: Path, tmp_path: Path) -> None:
    def other() -> None:
        assert annotated(clip, tmp_path / "other.mp4").frames == FRAMES

    assert annotated(clip, tmp_path / "out.mp4", on_progress=at_frame(5, other)).frames == FRAMES


def test_a_run_that_begins_anew_leaves_nothing_of_the_one_before(
    clip: Path, tmp_path: Path
) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    output = tmp_path / "out.mp4"
    with pytest.raises(Interrupted):
        annotated(clip, output, on_progress=at_frame(5, stop))
    (tmp_path / "out.mp4.parts" / "00007.mp4").touch()
    with pytest.raises(Interrupted):
        annotated(clip, output, on_progress=at_frame(5, stop))
    names = {path.name for path in (tmp_path / "out.mp4.parts").iterdir()}
    assert names == {"lock", "00000.mp4", "00000.jsonl", "00000.csv"}


def test_a_folder_that_its_run_takes_away_meanwhile_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, lock = tmp_path / "out.mp4", fcntl.flock

    def late(*arguments: Any) -> None:
        shutil.rmtree(tmp_path / "out.mp4.parts")
        monkeypatch.setattr(fcntl, "flock", lock)
        lock(*arguments)

    monkeypatch.setattr(fcntl, "flock", late)
    with held(output) as folder:
        assert folder.is_dir()
        with pytest.raises(BlockingIOError, match=WRITTEN), held(output):
            pass
