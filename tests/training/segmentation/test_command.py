import json
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from matplotlib.figure import Figure as Chart
from safetensors.torch import load_file, save_file

from bentoml_img.bundle import Bundle
from bentoml_img.models.efficientnet_lite import EfficientNetLite
from bentoml_img.models.segmenters import HEADS, deeplabv3_lite, fcn_lite
from bentoml_img.paths import SHIPPED
from bentoml_img.segment import Segmenter
from bentoml_img.training import log
from bentoml_img.training.figures import Figure, OnPhoto
from bentoml_img.training.layouts import Sample, read_voc
from bentoml_img.training.run import Progress
from bentoml_img.training.segmentation import command as segmentation
from bentoml_img.training.segmentation.augment import Augmentation
from bentoml_img.training.segmentation.trainer import Network, Recipe, Trainer
from tests.training.scenes import write_scenes
from tests.training.segmentation.scoring import mean_iou, mean_iou_of


@pytest.fixture
def arguments(tmp_path: Path, side: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of a run over four tiny photos, two steps long."""
    small = Augmentation(crop_side=side, base_side=side)
    monkeypatch.setattr(segmentation, "Recipe", partial(Recipe, batch_size=2, augmentation=small))
    monkeypatch.setattr(log, "LOG_STEPS", 1)
    write_scenes(tmp_path / "voc", 4)
    write_scenes(tmp_path / "voc", 2, "val")
    imagenet = tmp_path / "imagenet.pth"
    torch.save(EfficientNetLite().state_dict(), imagenet)
    folders = ["--voc", str(tmp_path / "voc"), "--output-dir", str(tmp_path / "out")]
    return [*folders, "--imagenet", str(imagenet), "--epochs", "1"]


def export_nothing(*_: object) -> list[Path]:
    return []


def test_trains_evaluates_and_exports(
    tmp_path: Path, arguments: list[str], side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    charts: dict[Path, Chart] = {}
    monkeypatch.setattr(
        segmentation, "save_chart", lambda chart, path: charts.update({path: chart})
    )
    result = CliRunner().invoke(segmentation.main, arguments)
    assert result.exit_code == 0, result.output
    out = tmp_path / "out"
    bundles = [out / "deeplabv3_lite", out / "fcn_lite"]
    assert result.stdout.split() == list(map(str, bundles))
    samples = read_voc(tmp_path / "voc", "val")
    photos = [sample.load()[0] for sample in samples]
    for bundle in bundles:
        manifest = Bundle.open(bundle).verify().manifest
        assert manifest.name == bundle.name
        assert manifest.license == "unknown"
        answers = [answer.mask for answer in Segmenter.from_bundle(bundle)(photos)]
        assert manifest.scores["voc_miou"] == round(mean_iou(samples, answers), 4)
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in lines] == [1, 2, 2]
    assert set(lines[0]["figures"]) == {"deeplabv3_lite", "fcn_lite"}
    network = Network().eval()
    network.load_state_dict(torch.load(out / "checkpoint.pt", weights_only=True)["average"])
    for head in network.heads:
        expected = mean_iou_of(network, head, samples, side)
        assert lines[2][f"{head}_voc_miou"] == pytest.approx(expected)
    losses, mious = charts[out / "curves.png"].axes
    for axes, entries in ((losses, [line["figures"] for line in lines[:2]]), (mious, lines[2:])):
        drawn = [np.asarray(line.get_ydata()).tolist() for line in axes.lines]
        names = [name for name in entries[0] if name in HEADS or name.endswith("_miou")]
        assert drawn == [[entry[name] for entry in entries] for name in names]

    again = CliRunner().invoke(segmentation.main, arguments)
    assert again.exit_code == 1
    assert "add --resume" in again.stderr
    monkeypatch.setattr(segmentation, "export", export_nothing)
    resumed = CliRunner().invoke(segmentation.main, [*arguments, "--resume"])
    assert resumed.exit_code == 0, resumed.output


def test_ctrl_c_and_resume_give_what_an_uninterrupted_run_gives(
    tmp_path: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    one_step = Trainer._one_step

    def interrupted(trainer: Trainer, batch: tuple[torch.Tensor, torch.Tensor]) -> Progress:
        signal.raise_signal(signal.SIGINT)
        return one_step(trainer, batch)

    with monkeypatch.context() as context:
        context.setattr(Trainer, "_one_step", interrupted)
        context.setattr(sys, "orig_argv", ["python3", "-m", "train", "--seed", "0"])
        result = CliRunner().invoke(segmentation.main, [*arguments, "--output-dir", str(stopped)])
    assert result.exit_code == 130
    assert "saved step 1 of 2; to go on: python3 -m train --seed 0 --resume" in result.stderr
    assert not (stopped / "fcn_lite").exists()

    monkeypatch.setattr(segmentation, "export", export_nothing)
    for out in ([str(stopped), "--resume"], [str(whole)]):
        result = CliRunner().invoke(segmentation.main, [*arguments, "--output-dir", *out])
        assert result.exit_code == 0, result.output
    one, other = (
        torch.load(out / "checkpoint.pt", weights_only=True)["average"] for out in (stopped, whole)
    )
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def last_bias(network: Network) -> torch.Tensor:
    bias: torch.Tensor = network.heads["fcn_lite"].state_dict()["4.bias"]
    return bias


def test_goes_on_from_trained_networks(
    tmp_path: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, build in (("deeplabv3_lite", deeplabv3_lite), ("fcn_lite", fcn_lite)):
        torch.manual_seed(1)  # one backbone for both
        (tmp_path / name).mkdir()
        save_file(build().state_dict(), tmp_path / name / "model.safetensors")
    trained = load_file(tmp_path / "fcn_lite" / "model.safetensors")
    trainers: list[Trainer] = []
    exported: list[Network] = []

    def fit(trainer: Trainer, *_: object) -> None:
        trainers.append(trainer)
        last_bias(trainer.average).add_(2)
        (tmp_path / "out" / "log.jsonl").touch()

    def export(network: Network, *_: object) -> list[Path]:
        exported.append(network)
        return []

    monkeypatch.setattr(segmentation, "fit", fit)
    monkeypatch.setattr(segmentation, "save_chart", lambda *_: None)
    monkeypatch.setattr(segmentation, "export", export)
    both = [*arguments, "--start", str(tmp_path)]
    result = CliRunner().invoke(segmentation.main, both)
    assert result.exit_code == 2
    assert "leave --imagenet out" in result.stderr

    place = both.index("--imagenet")
    result = CliRunner().invoke(segmentation.main, both[:place] + both[place + 2 :])
    assert result.exit_code == 0, result.output
    (trainer,) = trainers
    assert trainer.recipe.cool_down == 1
    for part, module in (
        ("backbone", trainer.network.backbone),
        ("head", trainer.network.heads["fcn_lite"]),
    ):
        for key, value in module.state_dict().items():
            assert torch.equal(value, trained[f"{part}.{key}"])
    (network,) = exported
    assert torch.allclose(last_bias(network), trained["head.4.bias"] + 1), (
        "halfway to where it ended"
    )


def test_of_many_val_photos_some_are_watched_and_all_measured(
    tmp_path: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    watched: list[int] = []
    measured: list[int] = []

    def fit(trainer: Trainer, *_: object) -> None:
        watched.append(len(trainer.validation["voc"]))
        (tmp_path / "out" / "log.jsonl").touch()

    def figures(
        segmenter: Segmenter, sets: Mapping[str, Sequence[Sample]], on_photo: OnPhoto
    ) -> Iterator[Figure]:
        measured.append(len(sets["voc"]))
        return iter(())

    Bundle.open(SHIPPED / "fcn_lite").copy(tmp_path / "fcn_lite")
    monkeypatch.setattr(segmentation, "MOST", 1)
    monkeypatch.setattr(segmentation, "fit", fit)
    monkeypatch.setattr(segmentation, "save_chart", lambda *_: None)
    monkeypatch.setattr(segmentation, "export", lambda *_: [tmp_path / "fcn_lite"])
    monkeypatch.setattr(segmentation, "figures", figures)
    result = CliRunner().invoke(segmentation.main, arguments)
    assert result.exit_code == 0, result.output
    assert (watched, measured) == ([1], [2])


def test_weights_of_another_network_are_refused(tmp_path: Path, arguments: list[str]) -> None:
    imagenet = tmp_path / "imagenet.pth"
    wider = {**EfficientNetLite().state_dict(), "stem.conv.weight": torch.ones(64, 3, 3, 3)}
    torch.save(wider, imagenet)
    other = CliRunner().invoke(segmentation.main, arguments)
    imagenet.write_text("no weights")
    damaged = CliRunner().invoke(segmentation.main, arguments)
    for result, says in ((other, "does not fit here"), (damaged, "holds no weights")):
        assert result.exit_code == 1
        assert f"Error: {imagenet} {says}" in result.stderr


def test_says_what_is_missing(tmp_path: Path, arguments: list[str]) -> None:
    nothing = CliRunner().invoke(segmentation.main, ["--output-dir", str(tmp_path / "out")])
    assert nothing.exit_code == 1
    assert "give --voc" in nothing.stderr
    resumed = CliRunner().invoke(segmentation.main, [*arguments, "--resume"])
    assert resumed.exit_code == 1
    assert "no checkpoint" in resumed.stderr
    other = ["--coco", str(tmp_path), "--output-dir", str(tmp_path / "out")]
    result = CliRunner().invoke(segmentation.main, other)
    assert result.exit_code == 1
    assert "no COCO data" in result.stderr
