import json
import os
from pathlib import Path

import pytest

import bentoml_img_detect
from bentoml_img.paths import ROOT
from tests.commands import Invoke, assert_error, lines
from tests.training.streets import write_streets
from tests.video.clips import picture, write_clip, write_gif
from tests.weights_server import NOWHERE

STREET = ROOT / "images" / "street.jpg"
OFFICIAL = "maskrcnn_resnet50_fpn"


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
    assert "maskrcnn_lite: mask AP50 0." in result.stderr


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
    assert_error(invoke(STREET, "--every", "2"), 2, "--every is for videos, and there is none")
    assert_error(invoke("--every", "2"), 2, "--every is for PATHS")
    assert_error(invoke("--weights", STREET), 1, "comes with its weights")
    both = invoke("--model", OFFICIAL, "--weights", STREET, "--weights-url", NOWHERE)
    assert_error(both, 2, "--weights and --weights-url: give one of them")
    assert_error(invoke("--evaluate", tmp_path), 1, "no COCO data in")
    assert_error(invoke(tmp_path), 1, "no pictures or videos in")
    assert_error(invoke(clip, "--output-dir", "/dev/null"), 2, "/dev/null is not a folder")
    assert_error(invoke(clip, "--output-dir", STREET), 2, f"{STREET} is not a folder")
    assert_error(invoke(STREET, "--score-threshold", "nan"), 2, "nan is not a finite number")
    assert_error(invoke(STREET, "--classes", "car,dragon"), 2, "'dragon'", "bicycle")
    assert_error(invoke(STREET, "--classes", ""), 2, "no class ''")
    assert_error(invoke(clip, "--line", "1,2,3"), 2, "line 1 has 3 numbers")
    assert_error(invoke(clip, "--line", "1,2,1,2"), 2, "line 1 starts where it ends")
    assert_error(invoke(clip, "--zone", "1,2,3,4,5,nan"), 2, "'1,2,3,4,5,nan' is not numbers")
    assert_error(invoke(clip, "--zone", "1,2,3,4"), 2, "zone 1 has fewer than three")
    assert_error(invoke(clip, "--zone", "0,0,9,0,0,9,9,9"), 2, "zone 1 has edges that cross")
    assert_error(invoke(clip, "--zone", "0,0,5,5,9,9"), 2, "zone 1 has no area")
    assert_error(invoke(clip, "--line", "a\nb=1,2,3,4"), 2, "is no name of up to 40 plain letters")
    assert_error(invoke(clip, "--line", "gate=1,2,3"), 2, "gate has 3 numbers")
    twice = ("--line", "gate=1,2,3,4", "--zone", "gate=0,0,9,0,9,9")
    assert_error(invoke(clip, *twice), 2, "two lines or zones are called 'gate'")


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
    picture(0).save(tmp_path / "a_result.jpg")
    again = invoke(tmp_path / "a.jpg", tmp_path / "a_result.jpg")
    assert_error(again, 2, "a_result.jpg is an input: it would be overwritten")
    picture(0).save(tmp_path / "road_result.counts.png")
    plot = invoke(clip, tmp_path / "road_result.counts.png", "--plot", "--output-dir", tmp_path)
    assert_error(plot, 2, "road_result.counts.png is an input: it would be overwritten")


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "pipe"])
def test_streams_are_refused(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    what = "photos and videos are not read from standard input; save it first"
    assert_error(invoke(name), 2, f"{name} is no file: {what}")


@pytest.mark.parametrize(
    ("source", "output", "known"),
    [
        ("photo.jpg", "a.mp4", "(photo) is one of .jpg, .jpeg, .png"),
        ("photo.jpg", "a.webp", "(photo) is one of .jpg, .jpeg, .png"),
        ("moving.gif", "a.jpg", "(animation) is one of .mp4, .gif"),
        ("video.mp4", "a.jpg", "(video) is one of .mp4, .gif"),
        ("video.mp4", "a.mkv", "(video) is one of .mp4, .gif"),
        ("frames", "a.jpg", "(video) is one of .mp4, .gif"),
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
    elif source == "video.mp4":
        write_clip(path, 2)
    else:
        picture(0).save(path)
    result = invoke(path, "--output", tmp_path / output, *["--frames"] * path.is_dir())
    why = f"cannot write {tmp_path / output}: the result of {path} {known}"
    assert_error(result, 2, why)
    assert list(tmp_path.iterdir()) == [path]
