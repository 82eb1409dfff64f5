import json
import shutil
from pathlib import Path

import bentoml_img_segment
from bentoml_img import shelf
from bentoml_img.bundle import MANIFEST
from bentoml_img.paths import SHIPPED
from tests.commands import Invoke, assert_error, lines
from tests.samples import photo
from tests.segment_script.running import LRASPP, STREET
from tests.test_shelf import state_file
from tests.training.scenes import write_scenes
from tests.weights_server import NOWHERE

__all__ = ["state_file"]


def test_packages_the_shipped_model(invoke: Invoke) -> None:
    result = invoke()
    assert lines(result) == ["PytorchImageSegment:1"]
    assert "bentoml run PytorchImageSegment:latest predict" in result.stderr
    assert "model.safetensors" in result.stderr


def test_lists_every_model(invoke: Invoke) -> None:
    table = "\n".join(lines(invoke("--list")))
    for name in bentoml_img_segment.MODELS:
        assert name in table
    assert table.count("shipped") == 2
    assert table.count("to download") == 6


def test_evaluates(invoke: Invoke, tmp_path: Path) -> None:
    write_scenes(tmp_path / "VOCdevkit" / "VOC2012", 3, "val")
    write_coco(tmp_path / "coco")
    figures = [json.loads(line) for line in lines(invoke("--evaluate", tmp_path))]
    assert {figure["dataset"] for figure in figures} == {"coco", "voc"}
    assert all(set(f) == {"model", "dataset", "metric", "value", "n"} for f in figures)
    assert {figure["model"] for figure in figures} == {"deeplabv3_lite"}


def write_coco(root: Path) -> None:
    """A photo that shows nothing."""
    (root / "val2017").mkdir(parents=True)
    (root / "annotations").mkdir()
    photo(64, 48).save(root / "val2017" / "1.jpg")
    images = [{"id": 1, "file_name": "1.jpg", "width": 64, "height": 48}]
    content = {"images": images, "annotations": []}
    (root / "annotations" / "instances_val2017.json").write_text(json.dumps(content))


def test_a_bundle_of_ones_own(invoke: Invoke, tmp_path: Path) -> None:
    own, masks = shutil.copytree(SHIPPED / "fcn_lite", tmp_path / "mine"), tmp_path / "masks"
    assert lines(invoke("--model", own)) == ["PytorchImageSegment:1"]
    assert invoke("--model", own, STREET, "--output-dir", masks / "own").exit_code == 0
    assert invoke("--model", "fcn_lite", STREET, "--output-dir", masks).exit_code == 0
    name = "street_seg.png"
    assert (masks / "own" / name).read_bytes() == (masks / name).read_bytes()
    assert_error(invoke("--model", own, "--weights", STREET), 1, "mine comes with its weights")
    (own / MANIFEST).write_text("{")
    assert_error(invoke("--model", own), 2, MANIFEST)


def test_an_official_model_from_a_file(invoke: Invoke, state_file: Path) -> None:
    result = invoke("--model", LRASPP, "--weights", state_file)
    assert lines(result) == ["PytorchImageSegment:1"]
    assert not shelf.is_at_hand(LRASPP), "these are not the published weights"


def test_without_a_network_the_ways_out_are_named(invoke: Invoke) -> None:
    result = invoke("--model", LRASPP, "--weights-url", NOWHERE)
    assert_error(result, 1, "--weights FILE", "--weights-url URL", "BENTOML_IMG_WEIGHTS_URL")
    assert "deeplabv3_lite or fcn_lite" in result.stderr
    assert result.stderr.count("\n") == 1


def test_wrong_usage(invoke: Invoke, tmp_path: Path) -> None:
    assert_error(invoke("--model", "unet"), 2, "'unet' is no model", "deeplabv3_lite, fcn_lite")
    assert_error(invoke("--model", "fcn_light"), 2, "'fcn_light' is no", "did you mean fcn_lite?")
    detector = SHIPPED / "maskrcnn_lite"
    assert_error(invoke("--model", detector), 2, "maskrcnn_lite is a bundle for detection")
    assert_error(invoke("--compare", "none.jpg"), 2, "none.jpg")
    assert_error(invoke("--list", "--compare", STREET), 2, "one of them")
    for arguments in (["-"], ["--compare", "-"]):
        assert_error(invoke(*arguments), 2, "not read from standard input; save it first")
    assert_error(invoke("--model", "fcn_lite", "--model", LRASPP), 2, "compared only")
    assert_error(invoke("--compare", STREET, STREET), 2, "give one of them")
    assert_error(invoke(tmp_path), 1, "no pictures or videos in")
    assert_error(invoke("--evaluate", tmp_path), 1, "no COCO data in")
    assert_error(invoke("--weights", STREET), 1, "comes with its weights")
    sources = [("--weights", STREET), ("--weights-url", NOWHERE)]
    for first, second in (sources, sources[::-1]):
        both = invoke("--model", LRASPP, *first, *second)
        assert_error(both, 2, "--weights and --weights-url: give one of them")
    without_model = invoke("--compare", STREET, "--weights", STREET)
    assert_error(without_model, 2, "--weights is for one model: give its --model, too")
    assert_error(invoke("--list", "--engine", "torch"), 2, "--engine chooses a model")
    assert_error(invoke("--palette", "hub"), 2, "--palette is for --compare and PATHS")
    assert_error(invoke("--list", "--output-dir", tmp_path), 2, "--output-dir is for --compare")
    assert_error(invoke(STREET, "--output-dir", "/dev/null"), 2, "/dev/null is not a folder")
    assert_error(invoke("--compare", Path(__file__)), 1, f"Error: {__file__}: not a picture")
