from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bentoml_img.models.segmenters import HEADS
from bentoml_img.training.errors import CheckpointError, DatasetError
from bentoml_img.training.run import Progress
from bentoml_img.training.segmentation.augment import Augmentation
from bentoml_img.training.segmentation.data import class_shares
from bentoml_img.training.segmentation.sampler import Source
from bentoml_img.training.segmentation.trainer import Recipe, Trainer
from tests.training.scenes import write_scenes
from tests.training.segmentation.scoring import mean_iou_of

TINY = Recipe(
    epochs=2,
    batch_size=2,
    warm_up_steps=1,
    augmentation=Augmentation(crop_side=48, base_side=48),
)


class StoppedError(Exception):
    pass


def make_trainer(root: Path, recipe: Recipe = TINY) -> Trainer:
    samples = write_scenes(root, 4)
    return Trainer(
        [Source(samples, 1.0)], class_shares(samples), recipe, validation={"scenes": samples}
    )


def test_a_resumed_run_gives_the_weights_of_an_uninterrupted_one(tmp_path: Path, side: int) -> None:
    whole = make_trainer(tmp_path)
    losses: list[float] = []
    whole.run(lambda progress: losses.append(progress.figures["deeplabv3_lite"]))
    assert len(losses) == whole.steps == 4

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

    photos: list[tuple[int, int]] = []
    entry = second.evaluate(lambda done, total: photos.append((done, total)))
    assert photos == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert second.history == [entry]
    for head in second.average.heads:
        expected = mean_iou_of(second.average, head, second.validation["scenes"], side)
        assert entry[f"{head}_scenes_miou"] == pytest.approx(expected)
        of_background = entry["iou"][f"{head}_scenes"][0]  # no class is in six of four photos
        assert entry[f"{head}_scenes_frequent_miou"] == pytest.approx(of_background, abs=1e-4)
    assert set(entry["iou"]) == {"deeplabv3_lite_scenes", "fcn_lite_scenes"}

    # In the cool-down neither the heads' statistics nor the number of epochs may change.
    second.save(tmp_path / "checkpoint.pt")
    longer = make_trainer(tmp_path, replace(TINY, epochs=3))
    with pytest.raises(CheckpointError, match="made with epochs=2"):
        longer.restore(tmp_path / "checkpoint.pt")


def test_epochs_may_not_be_so_few_that_the_cool_down_would_have_begun(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, replace(TINY, epochs=10))

    def stop(progress: Progress) -> None:
        if progress.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.run(stop)
    trainer.save(tmp_path / "checkpoint.pt")
    make_trainer(tmp_path, replace(TINY, epochs=8)).restore(tmp_path / "checkpoint.pt")
    for epochs in (1, 2):
        shorter = make_trainer(tmp_path, replace(TINY, epochs=epochs))
        with pytest.raises(CheckpointError, match="made with epochs=10"):
            shorter.restore(tmp_path / "checkpoint.pt")


def test_epochs_may_change_before_the_cool_down_but_nothing_else(tmp_path: Path) -> None:
    make_trainer(tmp_path).save(tmp_path / "checkpoint.pt")
    longer = make_trainer(tmp_path, replace(TINY, epochs=3))
    longer.restore(tmp_path / "checkpoint.pt")
    assert longer.steps == 6
    other = make_trainer(tmp_path, replace(TINY, seed=1))
    with pytest.raises(CheckpointError, match="made with seed=0"):
        other.restore(tmp_path / "checkpoint.pt")
    more = Trainer(
        [Source(write_scenes(tmp_path, 6), 1.0)], class_shares(write_scenes(tmp_path, 6)), TINY
    )
    with pytest.raises(CheckpointError, match="made with 4 photos"):
        more.restore(tmp_path / "checkpoint.pt")


def test_statistics_of_the_heads_freeze_in_the_cool_down_and_first_layers_always(
    tmp_path: Path,
) -> None:
    trainer = make_trainer(tmp_path, replace(TINY, cool_down=0.5))
    means: list[torch.Tensor] = []
    backbone = trainer.network.backbone
    before = {name: value.clone() for name, value in backbone.named_parameters()}

    def note(progress: Progress) -> None:
        norm = trainer.network.heads["fcn_lite"].get_submodule("1")
        assert isinstance(norm, torch.nn.BatchNorm2d)
        assert norm.running_mean is not None
        means.append(norm.running_mean.clone())

    trainer.run(note)
    assert not torch.equal(means[0], means[1])
    assert torch.equal(means[1], means[2])
    assert torch.equal(means[2], means[3])
    learnt = {n for n, p in backbone.named_parameters() if not torch.equal(p, before[n])}
    frozen = ("stem.", "stages.0.", "stages.1.", "stages.2.")
    assert learnt == {name for name in before if not name.startswith(frozen)}


def test_a_run_has_a_step_at_least(tmp_path: Path) -> None:
    assert make_trainer(tmp_path, replace(TINY, epochs=0.01)).steps == 1


def test_fewer_photos_than_a_batch_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="less than a batch"):
        make_trainer(tmp_path, replace(TINY, batch_size=5))


def test_pixels_that_are_not_known_do_not_count(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    logits = torch.randn(1, 21, 6, 6, generator=torch.Generator().manual_seed(0))
    targets = torch.full((1, 6, 6), 255)
    assert trainer._loss(logits, targets) == 0
    targets[:, :3] = 7
    known = trainer._loss(logits[:, :, :3], targets[:, :3])
    torch.testing.assert_close(trainer._loss(logits, targets), known)


def test_the_loss_looks_at_the_middle_of_squares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(tmp_path, replace(TINY, loss_stride=4))
    masks = np.arange(64, dtype=np.uint8).reshape(1, 8, 8)
    batch = np.zeros((1, 8, 8, 3), np.uint8), masks
    monkeypatch.setattr("bentoml_img.training.segmentation.trainer.load_batch", lambda *_: batch)
    assert trainer._load(0)[1].tolist() == [[[18, 22], [50, 54]]]


def test_the_loss_of_the_fcn_head_counts_as_the_recipe_says(tmp_path: Path) -> None:
    gradients = []
    for share in (0.25, 0.5):
        trainer = make_trainer(tmp_path, replace(TINY, fcn_loss=share))
        torch.manual_seed(0)
        trainer._backward(trainer._load(0))
        biases = [trainer.network.heads[name].get_parameter("4.bias") for name in HEADS]
        gradients.append(torch.stack([torch.as_tensor(bias.grad) for bias in biases]))
    once, twice = gradients
    factor = torch.tensor([[1.0 if name == "deeplabv3_lite" else 2.0] for name in HEADS])
    torch.testing.assert_close(factor * once, twice)
