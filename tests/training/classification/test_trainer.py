from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bentoml_img.training.checkpoint import CheckpointError
from bentoml_img.training.classification.cifar10 import Split
from bentoml_img.training.classification.trainer import (
    Augment,
    Recipe,
    Trainer,
    module_logits,
)
from bentoml_img.training.dataset import DatasetError
from bentoml_img.training.normalize import normalize
from bentoml_img.training.run import Progress
from bentoml_img.transforms import CIFAR
from tests.training.tiny import tiny_recipe, tiny_trainer


class StopNowError(Exception):
    pass


def stop_after(step: int) -> Callable[[Progress], None]:
    def on_step(progress: Progress) -> None:
        if progress.step == step:
            raise StopNowError

    return on_step


def assert_same_weights(one: Trainer, other: Trainer) -> None:
    ours, theirs = one.network.state_dict(), other.network.state_dict()
    assert ours.keys() == theirs.keys()
    different = [name for name in ours if not torch.equal(ours[name], theirs[name])]
    assert different == []


def test_it_learns(train: Split, held_out: Split) -> None:
    trainer = tiny_trainer(train, held_out, tiny_recipe(epochs=6))
    losses: list[float] = []
    trainer.run(lambda progress: losses.append(progress.figures["loss"]))
    assert len(losses) == trainer.steps == 30
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    accuracy = (module_logits(trainer.network, held_out.images).argmax(1) == held_out.labels).mean()
    assert accuracy > 0.3  # chance is 0.1


def test_a_seed_gives_the_same_weights_twice(train: Split, held_out: Split) -> None:
    runs = [tiny_trainer(train, held_out, tiny_recipe(seed=5)) for _ in range(2)]
    for run in runs:
        torch.rand(3)  # what others draw does not matter
        run.run()
    assert_same_weights(*runs)


def test_another_seed_gives_other_weights(train: Split, held_out: Split) -> None:
    first, second = (tiny_trainer(train, held_out, tiny_recipe(seed=seed)) for seed in (0, 1))
    for run in (first, second):
        run.run()
    assert not torch.equal(first.network.head.weight, second.network.head.weight)


@pytest.mark.parametrize("step", [2, 5, 7])  # before, at and after the end of an epoch
def test_a_resumed_run_equals_an_uninterrupted_one(
    tmp_path: Path, train: Split, held_out: Split, step: int
) -> None:
    whole = tiny_trainer(train, held_out, tiny_recipe())
    whole.run()

    stopped = tiny_trainer(train, held_out, tiny_recipe())
    with pytest.raises(StopNowError):
        stopped.run(stop_after(step))
    stopped.save(tmp_path / "checkpoint.pt")
    resumed = tiny_trainer(train, held_out, tiny_recipe())
    resumed.restore(tmp_path / "checkpoint.pt")
    assert resumed.step == step
    resumed.run()

    assert_same_weights(resumed, whole)
    assert resumed.seconds > stopped.seconds > 0


def test_an_evaluation_is_an_entry_in_the_history_and_changes_nothing(
    train: Split, held_out: Split
) -> None:
    evaluated = tiny_trainer(train, held_out, tiny_recipe())

    def evaluate(progress: Progress) -> None:
        evaluated.evaluate()

    evaluated.run(evaluate)
    whole = tiny_trainer(train, held_out, tiny_recipe())
    progress: list[Progress] = []
    whole.run(progress.append)
    assert_same_weights(evaluated, whole)
    assert [entry["step"] for entry in evaluated.history] == list(range(1, 11))
    last = evaluated.history[-1]
    hits = module_logits(whole.network, held_out.images).argmax(1) == held_out.labels
    assert last.pop("seconds") > 0
    assert last == {
        "step": 10,
        "loss": progress[-1].figures["loss"],
        "train_accuracy": progress[-1].figures["accuracy"],
        "test_accuracy_2000": hits.mean(),
    }


def test_an_evaluation_after_a_resume_is_that_of_an_uninterrupted_run(
    tmp_path: Path, train: Split, held_out: Split
) -> None:
    stopped = tiny_trainer(train, held_out, tiny_recipe())
    stopped.run()
    stopped.save(tmp_path / "checkpoint.pt")
    resumed = tiny_trainer(train, held_out, tiny_recipe())
    resumed.restore(tmp_path / "checkpoint.pt")
    assert resumed.evaluate() == stopped.evaluate()


def test_a_checkpoint_of_another_recipe_is_refused(
    tmp_path: Path, train: Split, held_out: Split
) -> None:
    tiny_trainer(train, held_out, tiny_recipe()).save(tmp_path / "checkpoint.pt")
    other = tiny_trainer(train, held_out, tiny_recipe(seed=1, epochs=3))
    with pytest.raises(CheckpointError, match="was made with epochs=2, seed=0"):
        other.restore(tmp_path / "checkpoint.pt")


def test_less_than_a_batch_is_refused(train: Split, held_out: Split) -> None:
    with pytest.raises(DatasetError, match="100 photos are less than a batch of 1000"):
        Trainer(train, held_out, Recipe())


def test_learning_rates_fall_to_zero(train: Split, held_out: Split) -> None:
    trainer = tiny_trainer(train, held_out, tiny_recipe(whiten_epochs=1))
    rates: list[tuple[float, float]] = []

    def on_step(progress: Progress) -> None:
        whiten, _, head = trainer.optimizers[0].param_groups
        rates.append((whiten["lr"], head["lr"]))

    trainer.run(on_step)
    np.testing.assert_allclose([head for _, head in rates], 0.5 * (1 - np.arange(10) / 10))
    assert [whiten > 0 for whiten, _ in rates] == [True] * 5 + [False] * 5


class TestAugment:
    recipe = replace(Recipe(), cutout=0, max_shift=2)

    def test_an_image_is_flipped_in_every_second_epoch(self, train: Split) -> None:
        augment = Augment(train.images, replace(self.recipe, max_shift=0))
        index = torch.arange(len(train))
        first, second, third = (augment(index, epoch, torch.Generator()) for epoch in range(3))
        assert torch.equal(second, first.flip(3))
        assert torch.equal(third, first)
        flipped = (first != normalize(torch.from_numpy(train.images), CIFAR)).flatten(1).any(1)
        assert 20 < flipped.sum() < 80

    def test_crops_are_shifted_by_at_most_max_shift(self) -> None:
        ramp = np.arange(32, dtype=np.uint8) * 4
        images = np.broadcast_to(ramp[None, :, None, None], (200, 32, 32, 3)).copy()
        augment = Augment(images, self.recipe)
        batch = augment(torch.arange(200), 0, torch.Generator().manual_seed(0))
        centre = (
            batch[:, :, 16].mean(dim=(1, 2))
            - normalize(torch.from_numpy(images), CIFAR)[0, :, 16].mean()
        )
        step = float(4 / 255 / np.mean([0.2470, 0.2435, 0.2616]))
        shifts = {round(float(shift) / step) for shift in centre}
        assert shifts == {-2, -1, 0, 1, 2}

    def test_cutout_hides_one_square_at_most(self) -> None:
        images = np.full((50, 32, 32, 3), 255, np.uint8)
        augment = Augment(images, replace(self.recipe, cutout=8))
        batch = augment(torch.arange(50), 0, torch.Generator().manual_seed(0))
        hidden = (batch == 0).all(dim=1).sum(dim=(1, 2))
        assert hidden.max() <= 64
        assert hidden.min() > 0


def test_logits_do_not_depend_on_the_batch(train: Split, held_out: Split) -> None:
    trainer = tiny_trainer(train, held_out, tiny_recipe())
    trainer.run()
    together = module_logits(trainer.network, held_out.images)
    alone = np.concatenate(
        [module_logits(trainer.network, image[None]) for image in held_out.images]
    )
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_checkpoint_says_what_made_it(tmp_path: Path, train: Split, held_out: Split) -> None:
    recipe = tiny_recipe(seed=3)
    tiny_trainer(train, held_out, recipe).save(tmp_path / "checkpoint.pt")
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert state["recipe"] == asdict(recipe)
