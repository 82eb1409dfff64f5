"""A training run: what all trainers have in common.

The learning rates rise over a few steps, stay, and fall linearly at the end (the cool-down,
Hägele et al., arXiv 2405.18392). What is evaluated and exported is an exponential moving
average of the weights.

All randomness is a function of the seed and the step: a run that was interrupted and resumed
ends with exactly the same weights as one that was not.
"""

import copy
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

from bentoml_img.training import checkpoint
from bentoml_img.training.errors import CheckpointError, DatasetError, Diverged
from bentoml_img.training.figures import OnPhoto, unwatched
from bentoml_img.training.gradients import fast_gradients
from bentoml_img.training.optimizer import adamw

Batch = TypeVar("Batch")
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class RunRecipe:
    """The hyperparameters of every run.

    An epoch is as many random draws as there are photos. `cool_down` is the fraction of the
    steps, at the end, over which the learning rates fall.
    """

    epochs: float = 1
    batch_size: int = 8
    seed: int = 0
    weight_decay: float = 0.02
    warm_up_steps: int = 100
    cool_down: float = 0.5
    average_decay: float = 0.998


@dataclass(frozen=True)
class Progress:
    """A finished step, counted from 1, and figures of its batch, such as losses."""

    step: int
    figures: Mapping[str, float]

    def __str__(self) -> str:
        return ", ".join(f"{name} {value:.3f}" for name, value in self.figures.items())


class Run(ABC, Generic[Network, Batch]):
    """A training run that can be stopped after any step and resumed from its checkpoint.

    `average` is the moving average of the weights of `network`. `history` has an entry for
    each evaluation. Each of `parts` is parameters of the network with their learning rate.
    DatasetError if there are fewer photos than a batch has.
    """

    recipe: RunRecipe

    def __init__(
        self,
        network: Network,
        parts: Sequence[tuple[Sequence[nn.Parameter], float]],
        recipe: RunRecipe,
        photos: int,
        steps_per_epoch: int,
        device: str | torch.device,
    ) -> None:
        if photos < recipe.batch_size:
            raise DatasetError(f"{photos} photos are less than a batch of {recipe.batch_size}")
        self.recipe = recipe
        self.photos = photos
        self.steps_per_epoch = steps_per_epoch
        self.steps = max(1, round(recipe.epochs * steps_per_epoch))
        self.step = 0
        self.seconds = 0.0
        self.history: list[dict[str, Any]] = []
        self.device = torch.device(device)
        self.network = network.to(self.device).to(memory_format=torch.channels_last).train()
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimizer = adamw(parts, recipe.weight_decay)
        for group in self.optimizer.param_groups:
            group["initial_lr"] = group["lr"]
        self._recent: list[Mapping[str, float]] = []  # of the batches since the last evaluation

    @abstractmethod
    def _load(self, step: int) -> Batch:
        """The batch of a step. Called in another thread, while the step before is computed."""

    @abstractmethod
    def _backward(self, batch: Batch) -> Mapping[str, Tensor]:
        """Compute the gradients of a batch; returns the figures to show, such as losses."""

    @abstractmethod
    def _measure(self, on_photo: OnPhoto) -> dict[str, Any]:
        """Evaluate the network; returns the figures by name, as `history` keeps them."""

    @property
    def cools_down(self) -> bool:
        return self.step >= self._cool_down_start(self.steps)

    def _cool_down_start(self, steps: int) -> float:
        return steps * (1 - self.recipe.cool_down)

    def evaluate(self, on_photo: OnPhoto = unwatched) -> dict[str, Any]:
        """Evaluate the network and add the entry to `history`, which is returned.

        It also has the step, and the seconds of training up to it.
        """
        entry = {"step": self.step, "seconds": self.seconds, **self._measure(on_photo)}
        self.history.append(entry)
        self._recent = []
        return entry

    def run(self, on_step: Callable[[Progress], None] = lambda progress: None) -> None:
        """Train from the current step to the last.

        `on_step` is called after each step: it may evaluate, save, and stop the run by
        raising. Diverged if a figure of a batch is not finite; that step changes nothing.
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
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * self._rate()
        torch.manual_seed((self.recipe.seed << 32) | self.step)
        with fast_gradients(self.device):
            figures = {name: value.item() for name, value in self._backward(batch).items()}
        for name, value in figures.items():
            if not math.isfinite(value):
                raise Diverged(
                    f"{name} is {value} in step {self.step + 1}: training has diverged, "
                    "and nothing of that step is saved"
                )
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        self._update_average()
        self._recent.append(figures)
        return Progress(self.step, figures)

    def _rate(self) -> float:
        """The factor of all learning rates at this step: 0–1."""
        warm_up = (self.step + 1) / (self.recipe.warm_up_steps + 1)
        cool_down = (self.steps - self.step) / (self.recipe.cool_down * self.steps)
        return min(1.0, warm_up, cool_down)

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.recipe.average_decay, self.step / (self.step + 9))
        current = self.network.state_dict()
        for name, mean in self.average.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(current[name], 1 - decay)
            else:
                mean.copy_(current[name])

    def save(self, path: Path) -> None:
        """Write a checkpoint; one that is there is replaced once the new one is complete."""
        state = {
            "recipe": asdict(self.recipe),
            "photos": self.photos,
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
            "recent": self._recent,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        checkpoint.save(state, path)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint.

        CheckpointError if it is damaged, of another version of this program, or of a run with
        other hyperparameters or another number of photos.
        """
        state = checkpoint.load(path)
        checkpoint.check_recipe(path, state["recipe"], self._resumable_recipe(state))
        if (photos := state["photos"]) != self.photos:
            raise CheckpointError(f"{path} was made with {photos} photos")
        self.step, self.seconds = state["step"], state["seconds"]
        self.history, self._recent = state["history"], state["recent"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _resumable_recipe(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The recipe that a checkpoint must have for this run to go on from it: this run's.

        Only the number of epochs may differ, if the cool-down has begun with neither number.
        """
        recipe, epochs = asdict(self.recipe), state["recipe"]["epochs"]
        shorter = min(self.steps, round(epochs * self.steps_per_epoch))
        if state["step"] <= self._cool_down_start(shorter):
            recipe["epochs"] = epochs
        return recipe
