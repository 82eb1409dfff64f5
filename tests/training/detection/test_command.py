import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from bentoml_img import zoo
from bentoml_img.bundle import WEIGHTS, Bundle
from bentoml_img.detect import Detector
from bentoml_img.engines.torch_maskrcnn import TorchMaskRcnn
from bentoml_img.labels import TRAFFIC
from bentoml_img.models.detectors import maskrcnn_lite
from bentoml_img.models.efficientnet_lite import EfficientNetLite
from bentoml_img.paths import SHIPPED
from bentoml_img.training import pretrained
from bentoml_img.training.detection import command as detection
from bentoml_img.training.detection.augment import Augmentation
from bentoml_img.training.detection.trainer import Recipe, Trainer
from tests.training.detection.scoring import mask_ap50
from tests.training.streets import write_streets

STREET_CLASSES = ("person", "car", "bus")


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of a run over four tiny photos, two steps long."""
    small = Augmentation(crop=(64, 96))
    entry = zoo.find("maskrcnn_lite")
    transform = replace(entry.transform, input_size=(64, 128))
    monkeypatch.setitem(zoo.ZOO, entry.name, replace(entry, transform=transform))
    monkeypatch.setattr(detection, "Recipe", partial(Recipe, batch_size=2, augmentation=small))
    imagenet = tmp_path / "imagenet.pth"
    torch.save(EfficientNetLite().state_dict(), imagenet)
    monkeypatch.setattr(pretrained, "packaged_weights", lambda: imagenet)
    write_streets(tmp_path / "street", 4)
    write_streets(tmp_path / "street", 2, "val")
    return [
        "--street",
        str(tmp_path / "street"),
        "--output-dir",
        str(tmp_path / "out"),
        "--epochs",
        "1",
    ]


def test_trains_evaluates_and_exports(tmp_path: Path, arguments: list[str]) -> None:
    result = CliRunner().invoke(detection.main, arguments)
    assert result.exit_code == 0, result.output
    bundle = tmp_path / "out" / "maskrcnn_lite"
    assert result.stdout.split() == [str(bundle)]
    manifest = Bundle.open(bundle).verify().manifest
    assert manifest.labels == TRAFFIC
    assert manifest.license == "unknown"
    assert manifest.scores["parameters"] < 12e6
    answering = Detector.from_bundle(bundle)
    for name in STREET_CLASSES:
        expected = mask_ap50(answering, tmp_path / "street", name)
        assert manifest.scores[f"street_mask_ap50_{name}"] == pytest.approx(expected, abs=1e-4)
    assert (bundle / WEIGHTS).stat().st_size < 25e6
    log = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert log[-2]["step"] == log[-1]["step"] == 2
    assert set(log[-2]["figures"]) == {"objectness", "proposal", "class", "box", "mask"}
    assert set(log[-1]["ap50"]["street"]) == set(STREET_CLASSES)
    network = maskrcnn_lite().eval()
    state = torch.load(tmp_path / "out" / "checkpoint.pt", weights_only=True)
    network.load_state_dict(state["average"])
    watched = Detector(manifest, TorchMaskRcnn(network))
    expected = mask_ap50(watched, tmp_path / "street", *STREET_CLASSES)
    assert log[-1]["street_mask_ap50"] == pytest.approx(expected)

    again = CliRunner().invoke(detection.main, arguments)
    assert again.exit_code == 1
    assert "add --resume" in again.stderr


def test_goes_on_from_a_trained_detector(
    tmp_path: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = maskrcnn_lite().state_dict()
    weights = tmp_path / "model.safetensors"
    save_file(trained, weights)
    trainers: list[Trainer] = []
    monkeypatch.setattr(detection, "fit", lambda trainer, *_: trainers.append(trainer))
    monkeypatch.setattr(detection, "export", lambda *_: SHIPPED / "maskrcnn_lite")
    monkeypatch.setattr(detection, "record", lambda *_: None)
    start = [*arguments, "--start", str(tmp_path)]
    result = CliRunner().invoke(detection.main, start)
    assert result.exit_code == 0, result.output
    for key, value in trainers[0].network.state_dict().items():
        assert torch.equal(value, trained[key])

    segmenter = SHIPPED / "deeplabv3_lite" / "model.safetensors"
    both = CliRunner().invoke(detection.main, [*start, "--backbone", str(segmenter.parent)])
    assert both.exit_code == 0, both.output
    backbone = load_file(segmenter)
    for key, value in trainers[1].network.state_dict().items():
        of_segmenter = key.startswith("backbone.body.") and value.is_floating_point()
        expected = backbone[key.replace("body.", "")].float() if of_segmenter else trained[key]
        assert torch.equal(value, expected), key
    weights.write_bytes(b"{}")
    damaged = CliRunner().invoke(detection.main, start)
    assert damaged.exit_code == 1
    assert "does not fit here" in damaged.stderr


def test_says_what_is_missing(tmp_path: Path, arguments: list[str]) -> None:
    nothing = CliRunner().invoke(detection.main, ["--output-dir", str(tmp_path / "out")])
    assert nothing.exit_code == 1
    assert "give --street" in nothing.stderr
    resumed = CliRunner().invoke(detection.main, [*arguments, "--resume"])
    assert resumed.exit_code == 1
    assert "no checkpoint" in resumed.stderr
