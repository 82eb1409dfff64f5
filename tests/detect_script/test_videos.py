import json
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from bentoml_img.video import pipeline, records
from bentoml_img.video.parts import held
from bentoml_img.video.reading import open_video
from tests.commands import Invoke, assert_error, lines
from tests.detect_script.running import FRAMES, SUFFIXES, Colours, summary_of
from tests.detectors import manifest_of
from tests.samples import huge
from tests.video.clips import picture, write_clip

RECORDS = ("tracks", "events", "summary")


def test_counts_of_a_video(invoke: Invoke, clip: Path, tmp_path: Path) -> None:
    result = invoke(clip, "--output-dir", tmp_path, "--line", "80,0,80,120", "--plot")
    paths = [tmp_path / f"road_result{suffix}" for suffix in (*SUFFIXES, ".counts.png")]
    assert lines(result) == list(map(str, paths))
    assert all(path.is_file() for path in paths)
    summary = summary_of(paths[0])
    assert summary["counts"] == {"car": 2, "person": 1}
    assert summary["crossings"] == {"line 1": {"right": {"car": 1}, "left": {"car": 1}}}
    assert summary["model"] == f"{manifest_of('maskrcnn_lite').tag} in fp32"
    assert "line 1 right" in result.stderr
    assert f"road.mkv: {FRAMES} frames, " in result.stderr
    with open_video(paths[0]) as video:
        assert len(list(video)) == FRAMES


def test_what_is_asked_for(invoke: Invoke, engine: Colours, clip: Path, tmp_path: Path) -> None:
    zone = "--zone=bay=40,10,120,10,120,110,40,110"
    output = tmp_path / "road.gif"
    result = invoke(clip, "--output", output, "--classes", "car", "--every", "2", zone, "--json")
    (line,) = lines(result)
    assert json.loads(line) == {
        "file": str(clip),
        "result": str(output),
        **{k: str(output.with_suffix(s)) for k, s in zip(RECORDS, SUFFIXES[1:], strict=True)},
        **{what: summary_of(output)[what] for what in ("counts", "crossings", "zones")},
    }
    assert engine.calls == FRAMES // 2
    assert summary_of(output)["counts"] == {"car": 2}
    assert summary_of(output)["zones"]["bay"]["entered"] == {"car": 2}
    invoke(clip, "--output", output, "--score-threshold", "0.7")
    assert summary_of(output)["counts"] == {"car": 1, "person": 1}, "one car scores 0.6"


def test_warnings_are_told_once_and_of_what(
    invoke: Invoke, engine: Colours, clip: Path, tmp_path: Path
) -> None:
    edge = ("--line", "0.5,0,0.5,1", "--output-dir", tmp_path)
    engine.interrupt_at = 1
    told = f"{clip}: warning: line 1 is so near the border"
    assert told in invoke(clip, *edge).stderr
    for resume in ((), ("--resume",)):  # of which the second has nothing to do
        assert invoke(clip, *edge, *resume).stderr.count(told) == 1


def test_speeds(invoke: Invoke, clip: Path, tmp_path: Path) -> None:
    """The cars go 40 pixels a second: 4 m/s."""
    gate = ("--line", "80,0,80,120", "--output-dir", tmp_path)
    for scale in (("--scale", "10"), ("--homography", ".1,0,0,0,.1,0,0,0,1")):
        assert invoke(clip, *gate, *scale).exit_code == 0
        events = (tmp_path / "road_result.events.csv").read_text().splitlines()
        header, *rows = (line.split(",") for line in events)
        speeds = [float(row[header.index("km_h")]) for row in rows if "crossed" in row]
        assert speeds == pytest.approx([14.4, 14.4], rel=0.05)
    assert_error(invoke(clip, "--scale", "10"), 2, "give a line")
    flat = ".1,.2,.3,.4,.5,.6,.7,.8,.9"
    assert_error(invoke(clip, *gate, "--homography", flat), 2, "can be inverted")


def test_a_folder_of_frames(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = tmp_path / "drive.1"
    frames.mkdir()
    for k in range(5):
        picture(k).save(frames / f"{k}.png")
    paths = lines(invoke(frames, "--frames", "--rate", "5"))
    assert paths[0] == str(tmp_path / "drive.1_result.mp4")
    with open_video(Path(paths[0])) as video:
        assert [frame.time for frame in video] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    monkeypatch.chdir(frames)
    result = invoke(".", "--frames")
    assert lines(result)[0] == "../drive.1_result.mp4"
    assert "drive.1: 5 frames" in result.stderr
    assert_error(invoke(frames, "--rate", "5"), 2, "--rate is for a folder of --frames")
    first = frames / "0.png"
    assert_error(invoke(first, "--frames"), 2, f"--frames is for folders, and {first} is none")
    (frames / "5.png").symlink_to("nowhere.png")
    cannot = f"Error: {frames}: 5.png cannot be read: No such file or directory\n"
    assert invoke(frames, "--frames").stderr == cannot
    (empty := tmp_path / "empty").mkdir()
    assert_error(invoke(empty, "--frames"), 1, f"Error: {empty} has no pictures (")


@pytest.mark.parametrize("name", ["run.mp4", "run.gif"])
def test_a_result_among_its_frames(
    invoke: Invoke, engine: Colours, tmp_path: Path, name: str
) -> None:
    """It is done anew, or gone on with; neither it nor its plot becomes a frame."""
    for k in range(5):
        picture(k).save(tmp_path / f"{k}.png")
    arguments = (tmp_path, "--frames", "--output", tmp_path / name, "--plot")
    engine.interrupt_at = 3
    assert invoke(*arguments).exit_code == 130
    for more in ((), ("--resume",)):
        assert lines(invoke(*arguments, *more))[-1] == str(tmp_path / "run.counts.png")
        assert summary_of(tmp_path / name)["frames"] == 5
    assert engine.calls == 3 + 5, "what is whole is left as it is"


def test_ctrl_c_and_resume(
    invoke: Invoke,
    engine: Colours,
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline, "SEGMENT", 1.0)
    both = (clip, write_clip(tmp_path / "next.mp4", 5), "--output-dir", tmp_path)
    before, engine.interrupt_at = set(threading.enumerate()), 25
    result = invoke(*both)
    assert result.exit_code == 130
    annotated = tmp_path / "road_result.mp4"
    assert result.stdout.splitlines()[0] == str(annotated)
    done = summary_of(annotated)["frames"]
    assert 20 <= done < 25
    assert f"road.mkv: interrupted after {done} frames" in result.stderr
    assert "--resume goes on" in result.stderr
    with open_video(annotated) as video:
        assert len(list(video)) == done
    assert not (tmp_path / "next_result.mp4").exists()
    resumed = lines(invoke(*both, "--resume"))
    assert engine.calls == 25 + FRAMES - 20 + 5
    assert summary_of(annotated)["counts"] == {"car": 2, "person": 1}
    assert lines(invoke(*both, "--resume")) == resumed
    assert engine.calls == 25 + FRAMES - 20 + 5, "what is whole is left as it is"
    assert set(threading.enumerate()) <= before


def test_ctrl_c_before_there_is_a_result(
    invoke: Invoke, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def join(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(pipeline, "join", join)
        result = invoke(clip)
    assert result.exit_code == 130
    assert "road.mkv: interrupted, without a new result; --resume goes on" in result.stderr
    annotated = Path(lines(invoke(clip, "--resume"))[0])
    assert summary_of(annotated)["frames"] == FRAMES


def test_ctrl_c_while_the_records_are_written(
    invoke: Invoke,
    engine: Colours,
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They become whole, and nothing of the parts is left."""
    events_csv = records.events_csv

    def interrupted(events: Any) -> str:
        signal.raise_signal(signal.SIGINT)
        return events_csv(events)

    both = (clip, write_clip(tmp_path / "next.mp4", 5), "--output-dir", tmp_path)
    with monkeypatch.context() as context:
        context.setattr(records, "events_csv", interrupted)
        result = invoke(*both)
    assert result.exit_code == 130
    annotated = tmp_path / "road_result.mp4"
    assert result.stdout.splitlines()[0] == str(annotated)
    told = f"interrupted after {FRAMES} frames, which are in {annotated}; --resume goes on"
    assert told in result.stderr
    assert summary_of(annotated)["stopped"] is None
    assert not list(tmp_path.glob("*.parts"))
    invoke(*both, "--resume")
    assert engine.calls == FRAMES + 5


def test_a_second_ctrl_c_while_the_records_are_written(
    invoke: Invoke, engine: Colours, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    totals = records.totals

    def interrupted(*given: Any) -> records.Totals:
        signal.raise_signal(signal.SIGINT)
        return totals(*given)

    monkeypatch.setattr(records, "totals", interrupted)
    engine.interrupt_at = 25
    result = invoke(clip, "--output-dir", tmp_path)
    assert result.exit_code == 130
    done = summary_of(tmp_path / "road_result.mp4")["frames"]
    assert f"interrupted after {done} frames" in result.stderr


def test_a_video_that_another_run_writes_is_told(
    invoke: Invoke, clip: Path, tmp_path: Path
) -> None:
    target = tmp_path / "road_result.mp4"
    for resume in ((), ("--resume",)):
        with held(target):
            result = invoke(clip, "--output-dir", tmp_path, *resume)
        assert_error(result, 1)
        why = f"cannot write {target}: it is being written by another run"
        assert f"Error: {why}; --output-dir writes elsewhere" in result.stderr
    assert lines(invoke(clip, "--output-dir", tmp_path))[0] == str(target)


def test_ctrl_c_counts_more_than_a_plot(
    invoke: Invoke, engine: Colours, clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "road_result.counts.png").mkdir()
    engine.interrupt_at = 25
    result = invoke(clip, "--plot", "--output-dir", tmp_path)
    assert result.exit_code == 130
    assert "--resume goes on" in result.stderr


def test_a_plot_is_of_the_result_that_it_lies_beside(
    invoke: Invoke, engine: Colours, clip: Path, tmp_path: Path
) -> None:
    plot = tmp_path / "road_result.counts.png"
    in_folder = (clip, "--output-dir", tmp_path)
    engine.interrupt_at = 25
    assert invoke(*in_folder, "--plot").exit_code == 130
    assert plot.exists()
    lines(invoke(*in_folder, "--resume"))
    assert not plot.exists(), "it had a part of the frames"
    lines(invoke(*in_folder, "--resume", "--plot"))
    lines(invoke(*in_folder, "--resume"))
    assert plot.exists(), "the result is the same"


def test_a_video_that_breaks_off(invoke: Invoke, clip: Path, tmp_path: Path) -> None:
    data = clip.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    result = invoke(tmp_path / "cut.mkv")
    assert result.exit_code == 1
    annotated = tmp_path / "cut_result.mp4"
    assert result.stdout.splitlines()[0] == str(annotated)
    done = summary_of(annotated)["frames"]
    why = f"is damaged: it ends after {done} of {FRAMES} frames"
    assert f"Error: {tmp_path / 'cut.mkv'} {why}" in result.stderr
    with open_video(annotated) as video:
        assert len(list(video)) == done > 0


@pytest.mark.parametrize("name", ["empty.mp4", "empty.gif", "text.avi", "text.txt", "huge.gif"])
def test_no_video_leaves_nothing_behind(invoke: Invoke, tmp_path: Path, name: str) -> None:
    content = {"empty": b"", "text": b"not a video, not at all\n" * 9, "huge": huge("GIF", 10_000)}
    path = tmp_path / name
    path.write_bytes(content[path.stem])
    result = invoke(path, "--output-dir", tmp_path / "new")
    assert_error(result, 1, f"Error: {path}")
    assert (result.stderr.count("\n"), result.stderr.count(name)) == (1, 1)
    assert list(tmp_path.iterdir()) == [path]


def test_photos_one_after_the_other_are_no_photo(invoke: Invoke, tmp_path: Path) -> None:
    path = tmp_path / "road.mjpeg"
    with path.open("wb") as file:
        for k in range(200):
            picture(k).save(file, format="JPEG")
    assert_error(invoke(path), 1, f"Error: {path} is a raw stream: put it into a container")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("size", [(1, 1), (37, 23)])
def test_odd_sizes_and_one_frame(invoke: Invoke, tmp_path: Path, size: tuple[int, int]) -> None:
    (frames := tmp_path / "frames").mkdir()
    picture(0).resize(size).save(frames / "0.png")
    assert invoke(frames, "--frames", "--output", tmp_path / "video.mp4").exit_code == 0
    with open_video(tmp_path / "video.mp4") as video:
        assert len(list(video)) == 1


def test_a_plot_that_cannot_be_written_is_told(invoke: Invoke, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "out_result.counts.png").mkdir()
    output = tmp_path / "out_result.mp4"
    result = invoke(clip, "--plot", "--output", output)
    assert_error(result, 1, "out_result.counts.png")
    assert output.exists()
