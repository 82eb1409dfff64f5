from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from bentoml_img.models.efficientnet_lite import EfficientNetLite
from bentoml_img.models.segmenters import deeplabv3_lite
from bentoml_img.training.detection.augment import Augmentation
from bentoml_img.training.detection.data import read_instances
from bentoml_img.training.detection.sampler import Source
from bentoml_img.training.detection.trainer import Recipe, Trainer
from bentoml_img.training.detection.truth import Truth
from bentoml_img.training.errors import CheckpointError, DatasetError
from bentoml_img.training.pretrained import load_weights
from bentoml_img.training.run import Progress
from tests.detectors import AsIs
from tests.training.detection.seer import Seer
from tests.training.streets import write_streets

TINY = Recipe(
    epochs=2,
    batch_size=2,
    warm_up_steps=1,
    cool_down=0.5,
    augmentation=Augmentation(crop=(64, 96)),
)


class StoppedError(Exception):
    pass


def make_trainer(root: Path, recipe: Recipe = TINY) -> Trainer:
    folder = root / "streets"
    if not folder.exists():
        write_streets(folder, 4)
    sources = [Source(read_instances(folder, "train"), 1.0, (50, 90), pastes=True)]
    return Trainer(sources, recipe)


def test_a_resumed_run_gives_the_weights_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = make_trainer(tmp_path)
    before = {name: value.clone() for name, value in whole.network.named_parameters()}
    whole.run()
    assert whole.step == whole.steps == 4

    def stop(progress: Progress) -> None:
        if progress.step == 2:
            raise StoppedError

    first = make_trainer(tmp_path)
    with pytest.raises(StoppedError):
        first.run(stop)
    first.save(tmp_path / "checkpoint.pt")
    second = make_trainer(tmp_path)
    second.restore(tmp_path / "checkpoint.pt")
    second.run()
    for ours, theirs in ((whole.network, second.network), (whole.average, second.average)):
        torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=0)

    learnt = {n for n, p in whole.network.named_parameters() if not torch.equal(p, before[n])}
    assert learnt == {name for name in before if not name.startswith("backbone.body.stem.")}
    farthest = {
        part: max(
            float((p - before[n]).abs().max().detach())
            for n, p in whole.network.named_parameters()
            if n.startswith(part)
        )
        for part in ("backbone.body.stages.6", "backbone.body.stages.3", "backbone.fpn")
    }
    assert list(farthest.values()) == sorted(farthest.values())

    longer = make_trainer(tmp_path, replace(TINY, epochs=3))
    longer.restore(tmp_path / "checkpoint.pt")  # the cool-down had not begun
    assert longer.steps == 6
    second.save(tmp_path / "checkpoint.pt")
    with pytest.raises(CheckpointError, match="made with epochs=2"):
        longer.restore(tmp_path / "checkpoint.pt")
    other = make_trainer(tmp_path, replace(TINY, seed=1))
    with pytest.raises(CheckpointError, match="made with seed=0"):
        other.restore(tmp_path / "checkpoint.pt")
    (tmp_path / "checkpoint.pt").write_bytes(b"PK")
    with pytest.raises(CheckpointError, match="cannot read"):
        longer.restore(tmp_path / "checkpoint.pt")


def test_gradients_are_clipped(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, replace(TINY, clip=0.01))
    trainer._backward(trainer._load(0))
    gradients = [p.grad for p in trainer.network.parameters() if p.grad is not None]
    assert torch.nn.utils.get_total_norm(gradients) == pytest.approx(0.01, rel=1e-3)


def test_the_loss_falls(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, replace(TINY, epochs=10))
    totals: list[float] = []
    trainer.run(lambda progress: totals.append(sum(progress.figures.values())))
    assert sum(totals[-5:]) < 0.7 * sum(totals[:5])


def test_an_evaluation_has_the_mask_ap50_of_each_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "bentoml_img.training.detection.trainer.Detector",
        lambda manifest, _: AsIs(manifest, Seer(blind=("bus",))),
    )
    trainer = make_trainer(tmp_path)
    trainer.validation = {"avenue": Truth.read(write_streets(tmp_path / "avenue", 4, "val"), "val")}
    entry = trainer.evaluate()
    assert entry["ap50"] == {"avenue": {"person": 1.0, "car": 1.0, "bus": 0.0}}
    assert entry["avenue_mask_ap50"] == pytest.approx(2 / 3)
    assert trainer.history == [entry]


def test_starts_from_the_backbone_of_a_segmenter(tmp_path: Path) -> None:
    segmenter = deeplabv3_lite()
    weights = tmp_path / "model.safetensors"
    save_file({name: value.half() for name, value in segmenter.state_dict().items()}, weights)
    backbone = EfficientNetLite(output_stride=32)
    load_weights(backbone, weights, of="backbone")
    expected = segmenter.backbone.stem.conv.weight.half().float()
    torch.testing.assert_close(backbone.stem.conv.weight, expected)
    wider = {**segmenter.state_dict(), "backbone.stem.conv.weight": torch.ones(64, 3, 3, 3)}
    save_file(wider, weights)
    with pytest.raises(DatasetError, match="does not fit here"):
        load_weights(backbone, weights, of="backbone")
    weights.write_bytes(b"{}")
    with pytest.raises(DatasetError, match="does not fit here"):
        load_weights(backbone, weights, of="backbone")
    with pytest.raises(DatasetError, match=f"there is no file {tmp_path / 'lost'}$"):
        load_weights(backbone, tmp_path / "lost", of="backbone")


def test_a_run_has_a_step_at_least(tmp_path: Path) -> None:
    assert make_trainer(tmp_path, replace(TINY, epochs=0.01)).steps == 1


def test_fewer_photos_than_a_batch_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="less than a batch"):
        make_trainer(tmp_path, replace(TINY, batch_size=5))
