import json
import os
import shutil
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from bentoml_img.detect import DEFAULT_QUERY, Query
from bentoml_img.video import mp4, pipeline, writing
from bentoml_img.video.counting import Tally
from bentoml_img.video.frames import VideoError, VideoInfo
from bentoml_img.video.options import Options
from bentoml_img.video.parts import CannotResume
from bentoml_img.video.pipeline import (
    Detect,
    Interrupted,
    Stopped,
    process_video,
)
from bentoml_img.video.places import Line, Zone
from bentoml_img.video.reading import open_video
from bentoml_img.video.records import read_events
from bentoml_img.video.results import COMPLETE, Ending, FrameProgress, Result
from bentoml_img.video.tracking import Instance
from tests.video.clips import ColourDetector, Found, picture, write_clip

FRAMES = 60
PLAIN = Options()
OPTIONS = replace(
    PLAIN,
    lines=(Line("gate", (80, 0), (80, 120)), Line("kerb", (0, 80), (160, 80))),
    zones=(Zone("bay", ((40, 10), (120, 10), (120, 110), (40, 110))),),
)


def outline(image: Image.Image, instances: Sequence[Instance], _: Tally) -> Image.Image:
    drawn = image.copy()
    pen = ImageDraw.Draw(drawn)
    for instance in instances:
        pen.rectangle(instance.box, outline="white")
    return drawn


def annotated(
    source: Path, output: Path, detect: Detect, options: Options = PLAIN, **others: Any
) -> Result:
    return process_video(source, output, detect, outline, options, **others)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "street.mp4", FRAMES, audio=["aac"])


@pytest.fixture(scope="module")
def whole(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The clip done in one go."""
    output = tmp_path_factory.mktemp("whole") / "street.mp4"
    return annotated(clip, output, ColourDetector(), OPTIONS)


def records(result: Result) -> tuple[str, str, dict[str, Any]]:
    summary = json.loads(result.summary.read_text())
    return result.tracks.read_text(), result.events.read_text(), summary


def test_the_video_has_the_frames_times_and_sound_of_its_source(clip: Path, whole: Result) -> None:
    with open_video(clip) as source, open_video(whole.video) as result:
        assert result.info.audio == source.info.audio == ("aac",)
        assert [(f.time, f.duration) for f in result] == [(f.time, f.duration) for f in source]
    assert whole.frames == FRAMES
    assert whole.ending == COMPLETE
    assert sorted(file.name for file in whole.video.parent.iterdir()) == [
        "street.events.csv",
        "street.mp4",
        "street.summary.json",
        "street.tracks.jsonl",
    ]


def test_a_folder_of_frames_may_hold_its_result_and_is_done_again_if_a_frame_changes(
    tmp_path: Path,
) -> None:
    for k in range(3):
        picture(k).save(tmp_path / f"{k}.png")
    output, detect = tmp_path / "street.mp4", ColourDetector()
    done = annotated(tmp_path, output, detect)
    os.utime(tmp_path / "0.png", (0, 0))
    assert annotated(tmp_path, output, detect, resume=True) == done
    assert detect.calls == 3
    picture(9).save(tmp_path / "0.png")
    annotated(tmp_path, output, detect, resume=True)
    assert detect.calls == 6


def test_counts_are_those_of_the_scene(whole: Result) -> None:
    _, _, summary = records(whole)
    assert summary["frames"] == FRAMES
    assert summary["seconds"] == pytest.approx(6.0)
    assert summary["counts"] == {"car": 2, "person": 1}
    assert summary["crossings"]["gate"] == {"right": {"car": 1}, "left": {"car": 1}}
    assert summary["crossings"]["kerb"] == {"down": {"person": 1}}
    assert summary["zones"]["bay"]["entered"] == {"car": 2, "person": 1}
    assert summary["zones"]["bay"]["left"] == {"car": 2, "person": 1}


def test_every_total_is_a_sum_of_rows(whole: Result) -> None:
    rows = list(read_events(whole.events))
    _, _, summary = records(whole)
    assert sum(row["kind"] == "appeared" for row in rows) == sum(summary["counts"].values())
    crossed = [row for row in rows if row["kind"] == "crossed"]
    totals = summary["crossings"].values()
    assert len(crossed) == sum(n for line in totals for way in line.values() for n in way.values())
    seconds = sum(float(row["seconds"] or 0) for row in rows)
    assert summary["zones"]["bay"]["seconds"] == pytest.approx(seconds)
    assert len({row["track_id"] for row in rows}) == 3


def test_tracks_have_a_line_a_frame(whole: Result) -> None:
    lines = [json.loads(line) for line in whole.tracks.read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(FRAMES))
    assert {line["schema"] for line in lines} == {1}
    instances = [instance for line in lines for instance in line["instances"]]
    assert {instance["track_id"] for instance in instances} == {1, 2, 3}
    assert {instance["label"] for instance in instances} == {"car", "person"}
    assert all(
        set(i) == {"track_id", "label", "score", "box", "detected", "mask"} for i in instances
    )


def test_every_third_frame_gives_the_same_counts(clip: Path, whole: Result, tmp_path: Path) -> None:
    detector = ColourDetector()
    options = replace(PLAIN, every=3, lines=OPTIONS.lines, zones=OPTIONS.zones)
    result = annotated(clip, tmp_path / "out.mp4", detector, options)
    assert detector.calls == FRAMES // 3
    _, _, summary = records(result)
    _, _, expected = records(whole)
    assert summary["counts"] == expected["counts"]
    assert summary["crossings"] == expected["crossings"]
    lines = [json.loads(line) for line in result.tracks.read_text().splitlines()]
    assert [len(line["instances"]) for line in lines[27:30]] == [3, 3, 3]


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_name_may_look_like_a_protocol(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    source = Path("file:12:30.mp4")
    shutil.copyfile(clip, source)
    result = annotated(source, Path(f"cam:1{suffix}"), ColourDetector(), OPTIONS)
    assert result.frames == FRAMES
    with open_video(result.video) as video:
        assert len(list(video)) == FRAMES


def test_a_gif(clip: Path, tmp_path: Path) -> None:
    result = annotated(clip, tmp_path / "out.gif", ColourDetector())
    with open_video(result.video) as video:
        assert video.info.frames == FRAMES
        assert sum(frame.duration for frame in video) == pytest.approx(6.0)


def test_progress(clip: Path, tmp_path: Path) -> None:
    told: list[FrameProgress] = []
    annotated(clip, tmp_path / "out.mp4", ColourDetector(), on_progress=told.append)
    assert [progress.done for progress in told] == list(range(1, FRAMES + 1))
    assert {progress.total for progress in told} == {FRAMES}
    assert all(progress.per_second > 0 for progress in told)


class Failing(ColourDetector):
    def __call__(self, images: Sequence[Image.Image], query: Query = DEFAULT_QUERY) -> list[Found]:
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

        def draw(image: Image.Image, instances: Sequence[Instance], tally: Tally) -> Image.Image:
            shown.append(tally)
            return image

        if stop_at:
            with pytest.raises(Interrupted):
                process_video(
                    clip, output, ColourDetector(), draw, OPTIONS, on_progress=interrupt_at(stop_at)
                )
            del shown[stop_at // 10 * 10 :]
        result = process_video(clip, output, ColourDetector(), draw, OPTIONS, resume=True)
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
    def join(segments: Any, output: Path, sound: Path | None) -> None:
        writing.join(segments, output, sound)
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


def test_a_damaged_video(clip: Path, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", FRAMES)
    data = source.read_bytes()
    source.write_bytes(data[: len(data) // 2])
    result = annotated(source, tmp_path / "out.mp4", ColourDetector())
    assert 0 < result.frames < FRAMES
    assert result.ending.error is not None
    assert f"in.mkv is damaged: it ends after {result.frames} of 60 frames" in result.ending.error
    with open_video(result.video) as video:
        assert len(list(video)) == result.frames
    assert not (tmp_path / "out.mp4.parts").exists()


def test_an_error_without_words_is_no_end(clip: Path, tmp_path: Path) -> None:
    output, whole = tmp_path / "out.mp4", ColourDetector()

    def fail(images: Sequence[Image.Image], query: Query) -> list[Found]:
        if whole.calls == 10:
            raise MemoryError
        return whole(images)

    with pytest.raises(MemoryError):
        annotated(clip, output, fail)
    result = annotated(clip, output, ColourDetector(), resume=True)
    assert (result.frames, result.ending) == (FRAMES, COMPLETE)


def test_what_is_no_video_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    source.write_text("not a video")
    (tmp_path / "out").mkdir()
    with pytest.raises(VideoError):
        annotated(source, tmp_path / "out/out.mp4", ColourDetector())
    assert not list((tmp_path / "out").iterdir())


def test_what_is_known_before_the_work_is_warned_of_before_it(clip: Path, tmp_path: Path) -> None:
    options = replace(PLAIN, every=5, lines=(Line("edge", (2, 0), (2, 120)),))
    told: list[str] = []

    def detect(images: Sequence[Image.Image], query: Query) -> list[Found]:
        assert len(told) == 2
        return ColourDetector()(images)

    result = annotated(clip, tmp_path / "out.mp4", detect, options, on_warning=told.append)
    assert records(result)[2]["warnings"] == told
    assert "edge is so near the border" in told[0]
    assert "every 5 frames are 0.5 seconds" in told[1]


@pytest.mark.parametrize(
    ("every", "rate", "warned"), [(4, 10, False), (5, 10, True), (1, 2, False)]
)
def test_looks_that_are_far_apart_are_warned_of(every: int, rate: float, warned: bool) -> None:
    info = VideoInfo(Path("a.mp4"), 160, 120, rate)
    assert bool(replace(PLAIN, every=every).warnings(info)) == warned


def test_an_error_of_the_sound_is_in_the_summary(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def audible(sound: Path) -> list[int]:
        raise RuntimeError("no such layout")

    monkeypatch.setattr(mp4, "_audible", audible)
    result = annotated(clip, tmp_path / "out.mp4", ColourDetector())
    assert records(result)[2]["warnings"] == ["the sound is left out (no such layout)"]
    assert result.ending == COMPLETE


def test_a_change_of_size_is_in_the_summary(tmp_path: Path) -> None:
    parts = []
    for k, size in enumerate([(160, 120), (120, 120)]):
        pictures = iter([picture(k).resize(size) for k in range(10)])
        path = write_clip(tmp_path / f"{k}.ts", pictures=pictures, size=size)
        parts.append(path.read_bytes())
    (tmp_path / "a.ts").write_bytes(b"".join(parts))
    told: list[str] = []
    result = annotated(
        tmp_path / "a.ts", tmp_path / "out.mp4", ColourDetector(), on_warning=told.append
    )
    (warning,) = told
    assert records(result)[2]["warnings"] == told
    assert "from 160×120 to 120×120" in warning
