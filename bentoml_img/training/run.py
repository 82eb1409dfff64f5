"""A run of training: what all trainers have in common.

All randomness is a function of the seed and the step, so that a run that was
interrupted and resumed gives the weights of one that was not.
"""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from bentoml_img.training import checkpoint
from bentoml_img.training.errors import CheckpointError, DatasetError, Diverged
from bentoml_img.training.figures import OnPhoto, unwatched

Batch = TypeVar("Batch")
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class RunRecipe:
    """What every run depends on, beside the data. An epoch is as many draws as there are photos."""

    epochs: float = 1
    batch_size: int = 8
    seed: int = 0


@dataclass(frozen=True)
class Progress:
    """One step done, and figures of its batch: losses, for the most part."""

    step: int
    figures: Mapping[str, float]

    def __str__(self) -> str:
        return ", ".join(f"{name} {value:.3f}" for name, value in self.figures.items())


class Run(ABC, Generic[Network, Batch]):
    """A training run that can be stopped after any step and resumed from its checkpoint.

    It has `photos` to learn from. The groups of the optimizers begin with the
    learning rates that they are given with. `history` has an entry for each
    evaluation. DatasetError if the photos are less than a batch.
    """

    recipe: RunRecipe

    def __init__(
        self,
        network: Network,
        optimizers: Sequence[Optimizer],
        recipe: RunRecipe,
        photos: int,
        steps_per_epoch: int,
        device: str | torch.device,
    ) -> None:
        if photos < recipe.batch_size:
            raise DatasetError(f"{photos} photos are less than a batch of {recipe.batch_size}")
        self.photos = photos
        self.steps_per_epoch = steps_per_epoch
        self.steps = max(1, round(recipe.epochs * steps_per_epoch))
        self.step = 0
        self.seconds = 0.0
        self.history: list[dict[str, Any]] = []
        self.device = torch.device(device)
        self.network = network.to(self.device).to(memory_format=torch.channels_last).train()
        self.recipe = recipe
        self.optimizers = optimizers
        for group in self._groups():
            group["initial_lr"] = group["lr"]

    @abstractmethod
    def _load(self, step: int) -> Batch:
        """A step's batch; in a thread of its own, while the step before is computed."""

    @abstractmethod
    def _backward(self, batch: Batch) -> Mapping[str, Tensor]:
        """Compute from a batch the gradients; figures of it, to be shown."""

    @abstractmethod
    def _rate(self, group: Mapping[str, Any]) -> float:
        """The part of its first learning rate that a group of parameters has at this step."""

    @abstractmethod
    def _measure(self, on_photo: OnPhoto) -> dict[str, Any]:
        """What the network reaches as it is, by the names that `history` has for it."""

    def evaluate(self, on_photo: OnPhoto = unwatched) -> dict[str, Any]:
        """Measure the network as it is; the figures, also put into `history`.

        With the step, and the seconds of training up to it.
        """
        entry = {"step": self.step, "seconds": self.seconds, **self._measure(on_photo)}
        self.history.append(entry)
        return entry

    def run(self, on_step: Callable[[Progress], None] = lambda progress: None) -> None:
        """Train from the current step to the last.

        `on_step` is called after each step: it may evaluate, save, and stop the
        run by raising. Diverged before a step from whose losses nothing can be
        learned.
        """
        with ThreadPoolExecutor(1) as pool:
            loaded = pool.submit(self._load, self.step)
            while self.step < self.steps:
                start = time.monotonic()
                batch = loaded.result()
                if self.step + 1 < self.steps:
                    loaded = pool.submit(self._load, self.step + 1)
                progress = self._one_step(batch)
                self.seconds += time.monotonic() - start
                on_step(progress)

    def _one_step(self, batch: Batch) -> Progress:
        for group in self._groups():
            group["lr"] = group["initial_lr"] * self._rate(group)
        torch.manual_seed((self.recipe.seed << 32) | self.step)
        figures = {name: value.item() for name, value in self._backward(batch).items()}
        for name, value in figures.items():
            if not math.isfinite(value):
                raise Diverged(
                    f"{name} is {value} in step {self.step + 1}: training has diverged, "
                    "and nothing of that step is saved"
                )
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        self.step += 1
        return Progress(self.step, figures)

    def _groups(self) -> list[dict[str, Any]]:
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def save(self, path: Path) -> None:
        """Write a checkpoint, beside and then in place of the last one."""
        checkpoint.save(self._state(), path)

    def _state(self) -> dict[str, Any]:
        return {
            "recipe": asdict(self.recipe),
            "photos": self.photos,
            "step": self.step,
            "network": self.network.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "history": self.history,
            "seconds": self.seconds,
        }

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint; CheckpointError if it is damaged or of another recipe."""
        state = checkpoint.load(path)
        checkpoint.check_recipe(path, state["recipe"], self._recipe_of(state))
        if (photos := state["photos"]) != self.photos:
            raise CheckpointError(f"{path} was made with {photos} photos")
        self._set_state(state)

    def _recipe_of(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The recipe that a checkpoint must have been made with for this run to go on from it."""
        return asdict(self.recipe)

    def _set_state(self, state: Mapping[str, Any]) -> None:
        self.step, self.seconds, self.history = state["step"], state["seconds"], state["history"]
        self.network.load_state_dict(state["network"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
