import copy
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from bentoml_img.training.autocast import autocast
from bentoml_img.training.classification import trainer as trainer_module
from bentoml_img.training.classification.cifar10 import Split
from bentoml_img.training.classification.trainer import (
    Recipe,
    Trainer,
    module_logits,
)
from bentoml_img.training.errors import CheckpointError, DatasetError
from bentoml_img.training.run import Progress
from bentoml_img.transforms import LITE_SQUARE
from tests.training.tiny import tiny_recipe


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
    side = LITE_SQUARE.input_size[0] // 2
    recipe = tiny_recipe(epochs=6, side=side, head_lr=0.01, start_share=0, average_decay=0.5)
    trainer = Trainer(train, held_out, recipe)
    losses: list[float] = []
    trainer.run(lambda progress: losses.append(progress.figures["loss"]))
    assert len(losses) == trainer.steps == 30
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    accuracy = (module_logits(trainer.blend(), held_out.images).argmax(1) == held_out.labels).mean()
    assert accuracy > 0.3  # chance is 0.1


def test_a_seed_gives_the_same_weights_twice(train: Split, held_out: Split) -> None:
    runs = [Trainer(train, held_out, tiny_recipe(seed=5)) for _ in range(2)]
    for run in runs:
        torch.rand(3)  # what others draw does not matter
        run.run()
    assert_same_weights(*runs)


def test_another_seed_gives_other_weights(train: Split, held_out: Split) -> None:
    first, second = (Trainer(train, held_out, tiny_recipe(seed=seed)) for seed in (0, 1))
    for run in (first, second):
        run.run()
    assert not torch.equal(first.network.head.weight, second.network.head.weight)


@pytest.mark.parametrize("step", [2, 5, 7])  # before, at and after the end of an epoch
def test_a_resumed_run_equals_an_uninterrupted_one(
    tmp_path: Path, train: Split, held_out: Split, step: int
) -> None:
    whole = Trainer(train, held_out, tiny_recipe())
    whole.run()

    stopped = Trainer(train, held_out, tiny_recipe())
    with pytest.raises(StopNowError):
        stopped.run(stop_after(step))
    stopped.save(tmp_path / "checkpoint.pt")
    resumed = Trainer(train, held_out, tiny_recipe())
    resumed.restore(tmp_path / "checkpoint.pt")
    assert resumed.step == step
    resumed.run()

    assert_same_weights(resumed, whole)
    assert resumed.seconds > stopped.seconds > 0


def test_an_evaluation_is_an_entry_in_the_history_and_changes_nothing(
    train: Split, held_out: Split
) -> None:
    evaluated = Trainer(train, held_out, tiny_recipe())

    def evaluate(progress: Progress) -> None:
        evaluated.evaluate()

    evaluated.run(evaluate)
    whole = Trainer(train, held_out, tiny_recipe())
    progress: list[Progress] = []
    whole.run(progress.append)
    assert_same_weights(evaluated, whole)
    assert [entry["step"] for entry in evaluated.history] == list(range(1, 11))
    last = evaluated.history[-1]
    with autocast(whole.device):
        logits = module_logits(whole.blend(), held_out.images)
    hits = logits.argmax(1) == held_out.labels
    assert last.pop("seconds") > 0
    assert last == {
        "step": 10,
        "loss": progress[-1].figures["loss"],
        "train_accuracy": progress[-1].figures["accuracy"],
        "test_accuracy_2000": hits.mean(),
    }


def test_of_images_that_are_sorted_some_of_each_class_are_watched(
    train: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_module, "WATCHED", 20)
    trainer = Trainer(train, train.subset(np.argsort(train.labels).tolist()), tiny_recipe())
    assert np.bincount(trainer.watched.labels).tolist() == [2] * 10


def test_labels_are_smoothed(train: Split, held_out: Split) -> None:
    trainer = Trainer(train, held_out, tiny_recipe(label_smoothing=0.2))
    head = trainer.network.head
    with torch.no_grad():
        head.weight.zero_()
        head.bias.copy_(30 * torch.eye(10)[3])
    batch = torch.zeros(2, 32, 32, 3, dtype=torch.uint8), torch.tensor([3, 3])
    loss = trainer._backward(batch)["loss"]
    assert loss.item() == pytest.approx(0.2 * 0.9 * 30), "sure and right, but too sure"


def test_an_entry_has_the_means_of_the_batches_since_the_one_before(
    tmp_path: Path, train: Split, held_out: Split
) -> None:
    first = Trainer(train, held_out, tiny_recipe())
    losses: list[float] = []

    def on_step(progress: Progress) -> None:
        losses.append(progress.figures["loss"])
        if progress.step == 4:
            first.evaluate()
        if progress.step == 7:
            raise StopNowError

    with pytest.raises(StopNowError):
        first.run(on_step)
    first.save(tmp_path / "checkpoint.pt")
    resumed = Trainer(train, held_out, tiny_recipe())
    resumed.restore(tmp_path / "checkpoint.pt")
    resumed.run(lambda progress: losses.append(progress.figures["loss"]))
    resumed.evaluate()
    assert [entry["loss"] for entry in resumed.history] == pytest.approx(
        [np.mean(losses[:4]), np.mean(losses[4:])]
    )


def test_an_evaluation_after_a_resume_is_that_of_an_uninterrupted_run(
    tmp_path: Path, train: Split, held_out: Split
) -> None:
    stopped = Trainer(train, held_out, tiny_recipe())
    stopped.run()
    stopped.save(tmp_path / "checkpoint.pt")
    resumed = Trainer(train, held_out, tiny_recipe())
    resumed.restore(tmp_path / "checkpoint.pt")
    assert resumed.evaluate() == stopped.evaluate()


def test_a_checkpoint_of_another_recipe_is_refused(
    tmp_path: Path, train: Split, held_out: Split
) -> None:
    Trainer(train, held_out, tiny_recipe()).save(tmp_path / "checkpoint.pt")
    other = Trainer(train, held_out, tiny_recipe(seed=1, head_lr=0.5))
    with pytest.raises(CheckpointError, match=r"was made with seed=0, head_lr=0.002"):
        other.restore(tmp_path / "checkpoint.pt")


def test_less_than_a_batch_is_refused(train: Split, held_out: Split) -> None:
    with pytest.raises(DatasetError, match="100 photos are less than a batch of 128"):
        Trainer(train, held_out, Recipe(batch_size=128))


def test_the_backbones_first_layers_and_all_statistics_stay(train: Split, held_out: Split) -> None:
    trainer = Trainer(train, held_out, tiny_recipe(frozen_stages=2))
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    trainer.run()
    changed = {
        name
        for name, value in trainer.network.state_dict().items()
        if (value != before[name]).any()
    }
    assert changed
    assert all(name.startswith(("head.", "backbone.stages.")) for name in changed)
    assert not any(name.startswith(("backbone.stages.0", "backbone.stages.1")) for name in changed)
    assert not any("running" in name for name in changed)


def test_the_blend_is_between_what_it_began_with_and_the_average(
    train: Split, held_out: Split
) -> None:
    trainer = Trainer(train, held_out, tiny_recipe(start_share=0.25))
    start = copy.deepcopy(trainer.network.state_dict())
    trainer.run()
    blended, average = trainer.blend().state_dict(), trainer.average.state_dict()
    for name, value in blended.items():
        share = 0.25 if name.startswith("backbone.") else 0
        expected = (1 - share) * average[name].float() + share * start[name].float()
        torch.testing.assert_close(value.float(), expected)
    assert not torch.equal(blended["head.weight"], start["head.weight"])


def test_logits_do_not_depend_on_the_batch(train: Split, held_out: Split) -> None:
    trainer = Trainer(train, held_out, tiny_recipe())
    trainer.run()
    together = module_logits(trainer.blend(), held_out.images)
    alone = np.concatenate(
        [module_logits(trainer.blend(), image[None]) for image in held_out.images]
    )
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_checkpoint_says_what_made_it(tmp_path: Path, train: Split, held_out: Split) -> None:
    recipe = tiny_recipe(seed=3)
    Trainer(train, held_out, recipe).save(tmp_path / "checkpoint.pt")
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert state["recipe"] == asdict(recipe)
