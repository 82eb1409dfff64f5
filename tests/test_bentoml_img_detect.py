import errno
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import bentoml_img_detect
from bentoml_img import packaging, shelf
from bentoml_img.detect import Detector
from bentoml_img.engines.interface import Found, Photo
from bentoml_img.labels import TRAFFIC
from bentoml_img.packaging import PackagedBento
from bentoml_img.shelf import ROOT
from bentoml_img.video import pipeline
from bentoml_img.video.reading import open_video
from tests.detectors import manifest_of
from tests.samples import huge
from tests.test_weights import NOWHERE
from tests.training.streets import write_streets
from tests.video.clips import NAMES, ColourDetector, picture, write_clip, write_gif

STREET = ROOT / "images" / "street.jpg"
OFFICIAL = "maskrcnn_resnet50_fpn"
FRAMES = 40
RECORDS = ("tracks", "events", "summary")
SUFFIXES = (".mp4", ".tracks.jsonl", ".events.csv", ".summary.json")

Invoke = Callable[..., Result]


class Colours:
    """An engine that finds the shapes of `tests.video.clips`, the red cars with less certainty."""

    def __init__(self) -> None:
        self.calls = 0
        self.interrupt_at = 0

    def __call__(self, photo: Photo, score_threshold: float) -> Found:
        self.calls += 1
        if self.calls == self.interrupt_at:
            raise KeyboardInterrupt
        (found,) = ColourDetector()([Image.fromarray(photo)])
        labels = np.array([TRAFFIC.index(NAMES[k]) for k in found.labels], np.int64)
        scores = np.array([0.6, 0.9, 0.8][: len(labels)], np.float32)
        chosen = scores >= score_threshold
        n = int(chosen.sum())
        masks = np.ones((n, 28, 28), np.float32)
        return Found(found.boxes_xyxy[chosen], labels[chosen], scores[chosen], masks)


@pytest.fixture
def engine() -> Colours:
    return Colours()


@pytest.fixture
def invoke(engine: Colours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run the command with a detector that knows colours, an empty cache, and no BentoML."""

    def package(bundle: Path, engine: str, precision: str) -> PackagedBento:
        return PackagedBento("PytorchInstanceDetector:1", bundle)

    def load(bundle: Path, engine_name: str, precision: str) -> Detector:
        return Detector(manifest_of("maskrcnn_lite"), engine)

    monkeypatch.setattr(packaging, "package", package)
    monkeypatch.setattr(Detector, "from_bundle", load)
    monkeypatch.setattr(shelf, "MADE", tmp_path / "made")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(bentoml_img_detect.main, list(map(str, arguments)))

    return run


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A car to the right, a car to the left, a walker downwards."""
    return write_clip(tmp_path_factory.mktemp("clip") / "road.mkv", FRAMES)


def lines(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def assert_error(result: Result, code: int, *parts: str) -> None:
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    for part in ("Error: ", *parts):
        assert part in result.stderr


def summary_of(stem: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(stem.with_suffix(".summary.json").read_text())
    return content


def test_packages_the_shipped_model(invoke: Invoke) -> None:
    result = invoke()
    assert lines(result) == ["PytorchInstanceDetector:1"]
    assert "bentoml run PytorchInstanceDetector:latest predict" in result.stderr


def test_lists_every_model(invoke: Invoke) -> None:
    result = invoke("--list")
    table = "\n".join(lines(result))
    for name in bentoml_img_detect.MODELS:
        assert name in table
    assert "0.346" in table
    assert "0.379" in table
    assert table.count("shipped") == 1
    assert table.count("to download") == 2
    assert "street car 0." in result.stderr


def test_a_photo_by_the_shipped_model(tmp_path: Path) -> None:
    arguments = [str(STREET), "--output-dir", str(tmp_path / "new"), "--json"]
    result = CliRunner().invoke(bentoml_img_detect.main, arguments)
    (line,) = lines(result)
    answer = json.loads(line)
    assert answer["file"] == str(STREET)
    assert (answer["width"], answer["height"]) == (1280, 960)
    assert "car" in {instance["label"] for instance in answer["instances"]}
    with Image.open(answer["result"]) as drawn, Image.open(STREET) as photo:
        assert (drawn.format, drawn.size) == ("JPEG", photo.size)


def test_photos_and_films_of_a_folder_and_what_failed(invoke: Invoke, tmp_path: Path) -> None:
    picture(20).save(tmp_path / "street.png")
    first, *rest = [picture(k) for k in range(6)]
    first.save(tmp_path / "moving.gif", save_all=True, append_images=rest, duration=80)
    (tmp_path / "bad.jpg").write_text("not a picture")
    (tmp_path / "cut.mp4").write_text("not a film")
    (tmp_path / "notes.txt").write_text("not asked for")
    result = invoke(tmp_path)
    assert result.exit_code == 1
    gif = [f"moving_result{suffix}" for suffix in (".gif", *SUFFIXES[1:])]
    expected = [str(tmp_path / name) for name in (*gif, "street_result.jpg")]
    assert result.stdout.splitlines() == expected
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert errors[0].startswith(f"Error: {tmp_path / 'bad.jpg'}: not a picture")
    assert errors[1].startswith(f"Error: {tmp_path / 'cut.mp4'} is not a video")
    assert len(errors) == 2
    with Image.open(tmp_path / "moving_result.gif") as moving:
        assert (getattr(moving, "n_frames", 1), moving.info["duration"]) == (6, 80)
    assert not list(tmp_path.glob("*.part*"))
    again = invoke(tmp_path)
    assert again.stdout == result.stdout, "results are no inputs"


def test_counts_of_a_film(invoke: Invoke, clip: Path, tmp_path: Path) -> None:
    result = invoke(clip, "--output-dir", tmp_path, "--line", "80,0,80,120", "--plot")
    paths = [tmp_path / f"road_result{suffix}" for suffix in (*SUFFIXES, ".counts.png")]
    assert lines(result) == list(map(str, paths))
    assert all(path.is_file() for path in paths)
    summary = summary_of(paths[0])
    assert summary["counts"] == {"car": 2, "person": 1}
    assert summary["crossings"] == {"line 1": {"right": {"car": 1}, "left": {"car": 1}}}
    assert summary["model"].startswith("maskrcnn_lite:")
    assert "line 1 right" in result.stderr
    assert f"road.mkv: {FRAMES} frames, " in result.stderr
    with open_video(paths[0]) as film:
        assert len(list(film)) == FRAMES


def test_what_is_asked_for(invoke: Invoke, engine: Colours, clip: Path, tmp_path: Path) -> None:
    zone = "--zone=40,10,120,10,120,110,40,110"
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
    assert summary_of(output)["zones"]["zone 1"]["entered"] == {"car": 2}
    invoke(clip, "--output", output, "--score-threshold", "0.7")
    assert summary_of(output)["counts"] == {"car": 1, "person": 1}, "one car scores 0.6"


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
    with open_video(Path(paths[0])) as film:
        assert [frame.time for frame in film] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
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
    film = tmp_path / "road_result.mp4"
    assert result.stdout.splitlines()[0] == str(film)
    done = summary_of(film)["frames"]
    assert 20 <= done < 25
    assert f"road.mkv: interrupted after {done} frames" in result.stderr
    assert "--resume goes on" in result.stderr
    with open_video(film) as video:
        assert len(list(video)) == done
    assert not (tmp_path / "next_result.mp4").exists()
    resumed = lines(invoke(*both, "--resume"))
    assert engine.calls == 25 + FRAMES - 20 + 5
    assert summary_of(film)["counts"] == {"car": 2, "person": 1}
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
    assert "road.mkv: interrupted, without a result yet; --resume goes on" in result.stderr
    film = Path(lines(invoke(clip, "--resume"))[0])
    assert summary_of(film)["frames"] == FRAMES


def test_what_failed_is_told_after_ctrl_c_too(
    invoke: Invoke, engine: Colours, tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    for name in ("good.png", "last.png"):
        picture(0).save(tmp_path / name)
    engine.interrupt_at = 2
    result = invoke(tmp_path)
    assert result.exit_code == 130
    assert (tmp_path / "good_result.jpg").exists()
    assert "bad.png" in result.stderr


def test_ctrl_c_counts_more_than_a_plot(
    invoke: Invoke, engine: Colours, clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "road_result.counts.png").mkdir()
    engine.interrupt_at = 25
    result = invoke(clip, "--plot", "--output-dir", tmp_path)
    assert result.exit_code == 130
    assert "--resume goes on" in result.stderr


def test_results_and_folders_are_no_inputs(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "b.mp4").mkdir()
    names = ("a_seg.png", "a_overlay.jpg", "a_compare.jpg", "a_result.jpg", "a_result.counts.png")
    for name in ("a.png", *names):
        picture(0).save(tmp_path / name)
    assert lines(invoke(tmp_path)) == [str(tmp_path / "a_result.jpg")]


def test_a_film_that_breaks_off(invoke: Invoke, clip: Path, tmp_path: Path) -> None:
    data = clip.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    result = invoke(tmp_path / "cut.mkv")
    assert result.exit_code == 1
    film = tmp_path / "cut_result.mp4"
    assert result.stdout.splitlines()[0] == str(film)
    done = summary_of(film)["frames"]
    why = f"is damaged: it ends after {done} of {FRAMES} frames"
    assert f"Error: {tmp_path / 'cut.mkv'} {why}" in result.stderr
    with open_video(film) as video:
        assert len(list(video)) == done > 0


@pytest.mark.parametrize("name", ["empty.mp4", "empty.gif", "text.avi", "text.txt", "huge.gif"])
def test_no_film_leaves_nothing_behind(invoke: Invoke, tmp_path: Path, name: str) -> None:
    content = {"empty": b"", "text": b"not a film, not at all\n" * 9, "huge": huge("GIF", 10_000)}
    path = tmp_path / name
    path.write_bytes(content[path.stem])
    result = invoke(path, "--output-dir", tmp_path / "new")
    assert_error(result, 1, f"Error: {path}")
    assert (result.stderr.count("\n"), result.stderr.count(name)) == (1, 1)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("size", [(1, 1), (37, 23)])
def test_odd_sizes_and_one_frame(invoke: Invoke, tmp_path: Path, size: tuple[int, int]) -> None:
    (frames := tmp_path / "frames").mkdir()
    picture(0).resize(size).save(frames / "0.png")
    assert invoke(frames, "--frames", "--output", tmp_path / "film.mp4").exit_code == 0
    with open_video(tmp_path / "film.mp4") as film:
        assert len(list(film)) == 1


@pytest.mark.parametrize("name", ["photo_result.jpg", "road_result.mp4"])
def test_a_result_that_cannot_be_written_is_told(
    invoke: Invoke, clip: Path, tmp_path: Path, name: str
) -> None:
    picture(0).save(tmp_path / "photo.png")
    target = tmp_path / "new" / name
    target.mkdir(parents=True)
    source = tmp_path / "photo.png" if name.startswith("photo") else clip
    result = invoke(source, "--output-dir", target.parent)
    assert_error(result, 1)
    why = f"cannot write {target}: Is a directory; --output-dir writes elsewhere"
    assert result.stderr.splitlines()[-1] == f"Error: {why}"


def test_a_plot_that_cannot_be_written_is_told(invoke: Invoke, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "out_result.counts.png").mkdir()
    output = tmp_path / "out_result.mp4"
    result = invoke(clip, "--plot", "--output", output)
    assert_error(result, 1, "out_result.counts.png")
    assert output.exists()


def test_evaluates(invoke: Invoke, tmp_path: Path) -> None:
    write_streets(tmp_path / "street", 2, "val")
    write_streets(tmp_path / "coco", 1, "val")
    figures = [json.loads(line) for line in lines(invoke("--evaluate", tmp_path))]
    assert {figure["dataset"] for figure in figures} == {"street", "coco"}
    assert all(set(f) == {"model", "dataset", "metric", "value", "n"} for f in figures)
    metrics = {f["metric"] for f in figures if f["dataset"] == "street"}
    assert {"mask_ap50", "mask_ap50_car", "mask_ap_car", "mask_ap50_person"} <= metrics


def test_without_a_network_the_ways_out_are_named(invoke: Invoke) -> None:
    result = invoke("--model", OFFICIAL, "--weights-url", NOWHERE)
    assert_error(result, 1, "--weights FILE", "BENTOML_IMG_WEIGHTS_URL")
    assert "maskrcnn_lite, which needs no download" in result.stderr
    assert result.stderr.count("\n") == 1


def test_wrong_usage(invoke: Invoke, clip: Path, tmp_path: Path) -> None:
    assert_error(invoke("--model", "yolo"), 2, "yolo")
    assert_error(invoke("none.mp4"), 2, "none.mp4")
    assert_error(invoke("--list", STREET), 2, "give one of them")
    assert_error(invoke("--list", "--weights-url", "x"), 2, "--weights-url chooses a model")
    assert_error(invoke(STREET, "--every", "2"), 2, "--every is for films, and there is none")
    assert_error(invoke("--every", "2"), 2, "--every is for PATHS")
    assert_error(invoke("--weights", STREET), 1, "comes with its weights")
    both = invoke("--model", OFFICIAL, "--weights", STREET, "--weights-url", NOWHERE)
    assert_error(both, 2, "--weights and --weights-url: give one of them")
    assert_error(invoke("--evaluate", tmp_path), 1, "no COCO data in")
    assert_error(invoke(tmp_path), 1, "no pictures or films in")
    assert_error(invoke(STREET, "--score-threshold", "nan"), 2, "nan is not a finite number")
    assert_error(invoke(STREET, "--classes", "car,dragon"), 2, "'dragon'", "bicycle")
    assert_error(invoke(STREET, "--classes", ""), 2, "no class ''")
    assert_error(invoke(clip, "--line", "1,2,3"), 2, "line 1 has 3 numbers")
    assert_error(invoke(clip, "--line", "1,2,1,2"), 2, "line 1 starts where it ends")
    assert_error(invoke(clip, "--zone", "1,2,3,4,5,nan"), 2, "'1,2,3,4,5,nan' is not numbers")
    assert_error(invoke(clip, "--zone", "1,2,3,4"), 2, "zone 1 has 2 corners")


def test_nothing_is_overwritten_that_is_asked_for(
    invoke: Invoke, clip: Path, tmp_path: Path
) -> None:
    picture(0).save(tmp_path / "a.png")
    picture(0).save(tmp_path / "a.jpg")
    assert_error(invoke(tmp_path), 2, "a.jpg and ", "a.png have one result: rename one")
    assert_error(invoke(tmp_path / "a.png", "--output", tmp_path / "a.png"), 2, "is an input")
    assert_error(invoke(tmp_path, "--output", tmp_path / "b.jpg"), 2, "the result of 2 files")
    both = invoke(tmp_path / "a.png", "--output", "b.jpg", "--output-dir", tmp_path)
    assert_error(both, 2, f"the result is b.jpg, or it is in {tmp_path}: give one of them")


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "pipe"])
def test_streams_are_refused(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    what = "photos and films are not read from standard input; save it first"
    assert_error(invoke(name), 2, f"{name} is no file: {what}")


@pytest.mark.parametrize(
    ("source", "output", "known"),
    [
        ("photo.jpg", "a.mp4", "(photo) is one of .jpg, .jpeg, .png"),
        ("photo.jpg", "a.webp", "(photo) is one of .jpg, .jpeg, .png"),
        ("moving.gif", "a.jpg", "(animation) is one of .mp4, .gif"),
        ("film.mp4", "a.jpg", "(film) is one of .mp4, .gif"),
        ("film.mp4", "a.mkv", "(film) is one of .mp4, .gif"),
        ("frames", "a.jpg", "(film) is one of .mp4, .gif"),
    ],
)
def test_results_are_of_the_kind_of_their_source(
    invoke: Invoke, tmp_path: Path, source: str, output: str, known: str
) -> None:
    path = tmp_path / source
    if source == "frames":
        path.mkdir()
    elif source == "moving.gif":
        write_gif(path, [50, 50])
    elif source == "film.mp4":
        write_clip(path, 2)
    else:
        picture(0).save(path)
    result = invoke(path, "--output", tmp_path / output, *["--frames"] * path.is_dir())
    why = f"cannot write {tmp_path / output}: the result of {path} {known}"
    assert_error(result, 2, why)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["lost.jpg", "lost.mp4"])
@pytest.mark.parametrize("link", ["nowhere.jpg", "n" * 300])
def test_what_cannot_be_looked_at_is_named(
    invoke: Invoke, tmp_path: Path, name: str, link: str
) -> None:
    picture(0).save(tmp_path / "a.png")
    (tmp_path / name).symlink_to(link)
    os.mkfifo(tmp_path / "pipe.jpg")
    for _ in range(2):  # the second time the other's result is there
        result = invoke(tmp_path)
        assert result.exit_code == 1, result.output
        assert result.stdout == f"{tmp_path / 'a_result.jpg'}\n"
        assert result.stderr.startswith(f"Error: {tmp_path / name}")
        assert result.stderr.count("\n") == 1


def test_a_folder_that_cannot_be_listed_is_named(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    for options in ((), ("--frames",)):
        result = invoke(tmp_path, *options)
        assert_error(result, 1)
        assert result.stderr == f"Error: {tmp_path}: Permission denied\n"


def test_a_name_that_is_too_long_with_that_of_a_result(invoke: Invoke, tmp_path: Path) -> None:
    names = [f"{'a' * 250}.png", f"{'b' * 250}.gif", "c.png"]
    first, *rest = [picture(k) for k in range(3)]
    for name in names:
        first.save(tmp_path / name, save_all=True, append_images=rest if "gif" in name else [])
    result = invoke(tmp_path)
    assert result.exit_code == 1
    assert result.stdout == f"{tmp_path / 'c_result.jpg'}\n"
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 2
    for name, suffix, error in zip(names, (".jpg", ".gif"), errors, strict=False):
        target = tmp_path / f"{Path(name).stem}_result{suffix}"
        assert error.startswith(f"Error: cannot write {target}: File name too long; --output-dir")
