import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from bentoml_img.detect import Detections, Query
from bentoml_img.video import mp4
from bentoml_img.video.frames import VideoError, VideoInfo
from bentoml_img.video.places import Line
from bentoml_img.video.reading import open_video
from bentoml_img.video.records import read_events
from bentoml_img.video.results import COMPLETE, FrameProgress, Result
from tests.video.clips import ColourDetector, picture, write_clip
from tests.video.running import FRAMES, OPTIONS, PLAIN, annotated, records


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


def test_a_gif_that_is_played_once_gives_such_a_gif(tmp_path: Path) -> None:
    source, output = tmp_path / "a.gif", tmp_path / "a_result.gif"
    picture(0).save(source, save_all=True, append_images=[picture(1)])
    annotated(source, output, ColourDetector())
    with Image.open(output) as result:
        assert getattr(result, "n_frames", 1) == 2
        assert "loop" not in result.info


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

    def fail(images: Sequence[Image.Image], query: Query) -> list[Detections]:
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

    def detect(images: Sequence[Image.Image], query: Query) -> list[Detections]:
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


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
@pytest.mark.parametrize(
    ("delays", "gap"),
    [([20, *[500] * 11], "every 3 frames are 1.4 seconds"), ([2000, *[30] * 40], None)],
)
def test_looks_at_an_animation_are_as_far_apart_as_all_of_its_frames_say(
    tmp_path: Path, suffix: str, delays: list[int], gap: str | None
) -> None:
    first, *rest = [picture(k) for k in range(len(delays))]
    first.save(tmp_path / f"a.{suffix}", save_all=True, append_images=rest, duration=delays)
    with open_video(tmp_path / f"a.{suffix}") as video:
        assert video.info.rate == pytest.approx(1000 * len(delays) / sum(delays))
        warnings = replace(PLAIN, every=3).warnings(video.info)
    assert [warning.startswith(gap or "nothing") for warning in warnings] == [True] * bool(gap)


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
