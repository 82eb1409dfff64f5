import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bentoml_img.detect import DEFAULT_QUERY, Detections, Query
from bentoml_img.video import pipeline, writing
from bentoml_img.video.counting import Tally
from bentoml_img.video.frames import VideoError
from bentoml_img.video.parts import CannotResume
from bentoml_img.video.pipeline import (
    Interrupted,
    Stopped,
    process_video,
)
from bentoml_img.video.reading import open_video
from bentoml_img.video.results import Ending, FrameProgress, Result
from bentoml_img.video.tracking import TrackedInstance
from tests.video.clips import ColourDetector, picture
from tests.video.running import COLOURS, FRAMES, OPTIONS, PLAIN, annotated, records


class Failing(ColourDetector):
    def __call__(
        self, images: Sequence[Image.Image], query: Query = DEFAULT_QUERY
    ) -> list[Detections]:
        if self.calls >= 33:
            raise RuntimeError("out of memory")
        return super().__call__(images)


def interrupt_at(frame: int) -> Any:
    def on_progress(progress: FrameProgress) -> None:
        if progress.done == frame:
            raise KeyboardInterrupt

    return on_progress


@pytest.fixture
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "SEGMENT", 1.0)


@pytest.mark.usefixtures("short_segments")
@pytest.mark.parametrize("frame", [5, 10, 37, FRAMES])
def test_ctrl_c_leaves_what_was_done_and_a_resumed_run_ends_the_same(
    clip: Path, whole: Result, tmp_path: Path, frame: int
) -> None:
    output = tmp_path / "out.mp4"
    before = set(threading.enumerate())
    with pytest.raises(Interrupted) as caught:
        annotated(clip, output, ColourDetector(), OPTIONS, on_progress=interrupt_at(frame))
    assert set(threading.enumerate()) <= before
    partial = caught.value.result
    assert partial is not None
    assert (partial.frames, partial.ending) == (frame, Ending(interrupted=True))
    with open_video(output) as video:
        assert len(list(video)) == frame
    detector = ColourDetector()
    result = annotated(clip, output, detector, OPTIONS, resume=True)
    assert detector.calls == FRAMES - frame // 10 * 10
    assert records(result) == records(whole)
    with open_video(output) as video, open_video(whole.video) as reference:
        assert [(f.time, f.duration) for f in video] == [(f.time, f.duration) for f in reference]
    assert not (tmp_path / "out.mp4.parts").exists()


@pytest.mark.usefixtures("short_segments")
def test_what_is_drawn_of_counts_is_what_is_written(clip: Path, tmp_path: Path) -> None:
    def tallies(output: Path, stop_at: int | None) -> list[Tally]:
        shown = []

        def draw(
            image: Image.Image, instances: Sequence[TrackedInstance], tally: Tally
        ) -> Image.Image:
            shown.append(tally)
            return image

        run = partial(
            process_video, clip, output, ColourDetector(), draw, OPTIONS, identity=COLOURS
        )
        if stop_at:
            with pytest.raises(Interrupted):
                run(on_progress=interrupt_at(stop_at))
            del shown[stop_at // 10 * 10 :]
        result = run(resume=True)
        crossings = records(result)[2]["crossings"]
        for line, ways in crossings.items():
            counted = {way: sum(labels.values()) for way, labels in ways.items()}
            assert {way: n for way, n in shown[-1][line].items() if n} == counted
        return shown

    whole = tallies(tmp_path / "whole.mp4", None)
    assert whole[0]["gate"] == {"left": 0, "right": 0}
    assert whole[-1]["gate"] == {"left": 1, "right": 1}
    assert max(tally["bay"]["inside"] for tally in whole) == 3
    assert tallies(tmp_path / "resumed.mp4", 37) == whole


@pytest.mark.usefixtures("short_segments")
def test_segments_are_as_long_as_their_frames_say(tmp_path: Path) -> None:
    """The first frame says nothing of how long the others are."""
    source = tmp_path / "slow.gif"
    pictures = [picture(k) for k in range(12)]
    delays = [20, *[500] * 11]
    pictures[0].save(source, save_all=True, append_images=pictures[1:], duration=delays)
    output = tmp_path / "out.mp4"
    with pytest.raises(Interrupted):
        annotated(source, output, ColourDetector(), on_progress=interrupt_at(8))
    assert len(list((tmp_path / "out.mp4.parts").glob("*.mp4"))) == 4


@pytest.mark.usefixtures("short_segments")
def test_an_error_of_the_detector_leaves_what_was_done(clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    with pytest.raises(RuntimeError, match="out of memory"):
        annotated(clip, output, Failing())
    with open_video(output) as video:
        assert len(list(video)) == 33
    assert json.loads((tmp_path / "out.summary.json").read_text())["stopped"] == "out of memory"


@pytest.mark.usefixtures("short_segments")
def test_stopping(clip: Path, tmp_path: Path) -> None:
    stop = threading.Event()

    def on_progress(progress: FrameProgress) -> None:
        if progress.done == 27:
            stop.set()

    output, detector = tmp_path / "out.mp4", ColourDetector()
    with pytest.raises(Stopped):
        annotated(clip, output, detector, on_progress=on_progress, stop=stop.is_set)
    assert not output.exists(), "nothing is joined that nobody waits for"
    again = ColourDetector()
    annotated(clip, output, again, resume=True)
    assert again.calls < FRAMES
    with open_video(output) as video:
        assert len(list(video)) == FRAMES


@pytest.mark.usefixtures("short_segments")
def test_what_is_passed_over_can_be_stopped(clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    with pytest.raises(Interrupted):
        annotated(clip, output, ColourDetector(), on_progress=interrupt_at(37))
    again = ColourDetector()
    with pytest.raises(Stopped):
        annotated(clip, output, again, resume=True, stop=lambda: True)
    assert again.calls == 0


@pytest.mark.usefixtures("short_segments")
def test_ctrl_c_while_the_result_is_joined_leaves_its_parts(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def join(*_: Any) -> None:
        raise KeyboardInterrupt

    output = tmp_path / "out.mp4"
    with monkeypatch.context() as context:
        context.setattr(pipeline, "join", join)
        with pytest.raises(KeyboardInterrupt):
            annotated(clip, output, ColourDetector())
    again = ColourDetector()
    assert annotated(clip, output, again, resume=True).frames == FRAMES
    assert again.calls <= 10


def test_what_is_joined_anew_is_not_taken_for_the_result_of_before(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def join(segments: Any, output: Path, sound: Path | None, plays: int) -> None:
        writing.join(segments, output, sound, plays)
        raise KeyboardInterrupt

    output = tmp_path / "out.mp4"
    annotated(clip, output, ColourDetector())
    with monkeypatch.context() as context:
        context.setattr(pipeline, "join", join)
        with pytest.raises(KeyboardInterrupt):
            annotated(clip, output, ColourDetector(), replace(PLAIN, every=2))
    with pytest.raises(CannotResume):
        annotated(clip, output, ColourDetector(), resume=True)


@pytest.mark.usefixtures("short_segments")
def test_other_settings_cannot_go_on(clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    with pytest.raises(Interrupted):
        annotated(clip, output, ColourDetector(), on_progress=interrupt_at(25))
    with pytest.raises(CannotResume, match=r"cannot go on with out\.mp4"):
        annotated(clip, output, ColourDetector(), replace(PLAIN, every=2), resume=True)


@pytest.mark.usefixtures("short_segments")
@pytest.mark.parametrize("frame", [25, FRAMES])
def test_another_detector_cannot_go_on(clip: Path, tmp_path: Path, frame: int) -> None:
    output = tmp_path / "out.mp4"
    with pytest.raises(Interrupted):
        annotated(clip, output, ColourDetector(), on_progress=interrupt_at(frame))
    with pytest.raises(CannotResume, match="begun with another video, model or settings"):
        annotated(clip, output, ColourDetector(), identity="colours:1 in bf16", resume=True)


def test_another_detector_does_a_whole_result_anew(clip: Path, tmp_path: Path) -> None:
    output, other = tmp_path / "out.mp4", ColourDetector()
    annotated(clip, output, ColourDetector())
    result = annotated(clip, output, other, identity="colours:2 in fp32", resume=True)
    assert other.calls == FRAMES
    assert records(result)[2]["model"] == "colours:2 in fp32"


@pytest.mark.usefixtures("short_segments")
def test_what_is_broken_off_replaces_no_result_of_more(clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"

    def broken_off(frame: int, resume: bool) -> Result | None:
        with pytest.raises(Interrupted) as caught:
            annotated(
                clip, output, ColourDetector(), on_progress=interrupt_at(frame), resume=resume
            )
        return caught.value.result

    longer = broken_off(25, False)
    assert longer is not None
    before = records(longer)
    assert broken_off(23, True) is None
    assert records(longer) == before
    whole = annotated(clip, output, ColourDetector(), resume=True)
    before = records(whole)
    assert broken_off(37, False) is None
    with pytest.raises(RuntimeError, match="out of memory"):
        annotated(clip, output, Failing())
    assert records(whole) == before
    assert annotated(clip, output, ColourDetector(), resume=True) == whole


@pytest.mark.usefixtures("short_segments")
def test_damaged_parts_cannot_go_on(clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    with pytest.raises(Interrupted):
        annotated(clip, output, ColourDetector(), on_progress=interrupt_at(25))
    parts = tmp_path / "out.mp4.parts"
    (segment,) = parts.glob("00001.mp4")
    segment.unlink()
    with pytest.raises(CannotResume, match=r"00001\.mp4 is missing"):
        annotated(clip, output, ColourDetector(), resume=True)
    segment.touch()
    with pytest.raises(CannotResume, match=r"00001\.mp4 is missing or empty"):
        annotated(clip, output, ColourDetector(), resume=True)
    segment.write_bytes(b"some")
    (parts / "00000.csv").unlink()
    with pytest.raises(CannotResume, match=r"00000\.csv is missing"):
        annotated(clip, output, ColourDetector(), resume=True)
    manifest = parts / "manifest.json"
    whole = json.loads(manifest.read_text())
    older = {key: value for key, value in whole.items() if key != "format"}
    for content in ("{", json.dumps(older)):
        manifest.write_text(content)
        with pytest.raises(VideoError, match=r"manifest\.json is damaged, or of another version"):
            annotated(clip, output, ColourDetector(), resume=True)


@pytest.mark.parametrize("what", ["video", "tracks", "summary"])
def test_what_was_whole_and_is_no_longer_is_done_anew(
    clip: Path, tmp_path: Path, what: str
) -> None:
    result = annotated(clip, tmp_path / "out.mp4", ColourDetector())
    damaged: Path = getattr(result, what)
    damaged.write_bytes(b"[]" if what == "summary" else b"")
    again = annotated(clip, tmp_path / "out.mp4", ColourDetector(), resume=True)
    assert damaged.stat().st_size > 2
    assert again.frames == result.frames
