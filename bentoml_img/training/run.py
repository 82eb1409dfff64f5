"""A run of training: what the trainers of the light networks have in common.

AdamW; learning rates that rise fast, stay, and fall linearly at the end (the
cool-down, Hägele et al., arXiv 2405.18392); an exponential moving average of
the weights is what is evaluated and exported.

All randomness is a function of the seed and the step, so that a run that was
interrupted and resumed gives the weights of one that was not.
"""

import copy
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
from bentoml_img.training.segmentation_data import DatasetError

Batch = TypeVar("Batch")
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class RunRecipe:
    """What every run depends on, beside the data.

    An epoch is as many draws as there are photos; `cool_down` is the last part
    of the run.
    """

    epochs: float = 1
    batch_size: int = 8
    weight_decay: float = 0.02
    warm_up_steps: int = 100
    cool_down: float = 0.5
    average_decay: float = 0.998
    seed: int = 0


@dataclass(frozen=True)
class Progress:
    """One step done, and the losses of its batch."""

    step: int
    losses: Mapping[str, float]

    def __str__(self) -> str:
        return ", ".join(f"{name} {loss:.3f}" for name, loss in self.losses.items())


class Run(ABC, Generic[Network, Batch]):
    """A training run that can be stopped after any step and resumed from its checkpoint.

    It has `photos` to learn from. Each of `parts` are parameters of the network
    and their learning rate, of which those learn that require a gradient.
    `history` has an entry for each evaluation. DatasetError if the photos are
    less than a batch.
    """

    recipe: RunRecipe

    def __init__(
        self,
        network: Network,
        parts: Sequence[tuple[Sequence[nn.Parameter], float]],
        recipe: RunRecipe,
        photos: int,
        steps_per_epoch: int,
        device: str,
    ) -> None:
        if photos < recipe.batch_size:
            raise DatasetError(f"{photos} photos are less than a batch")
        self.photos = photos
        self.steps_per_epoch = steps_per_epoch
        self.steps = max(1, round(recipe.epochs * steps_per_epoch))
        self.step = 0
        self.seconds = 0.0
        self.history: list[dict[str, Any]] = []
        self.device = torch.device(device)
        self.network = network.to(self.device).to(memory_format=torch.channels_last).train()
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.recipe = recipe
        self._optimizer = torch.optim.AdamW(_groups(parts, recipe.weight_decay), fused=True)

    @abstractmethod
    def _load(self, step: int) -> Batch:
        """A step's batch; in a thread of its own, while the step before is computed."""

    @abstractmethod
    def _backward(self, batch: Batch) -> Mapping[str, Tensor]:
        """Compute a batch's losses, and from them the gradients."""

    @abstractmethod
    def evaluate(
        self, on_photo: Callable[[int, int], None] = lambda done, total: None
    ) -> dict[str, Any]:
        """Measure the averaged weights; the figures, also put into `history`.

        `on_photo` is called with the numbers of photos done and in all.
        """

    def run(self, on_step: Callable[[Progress], None] = lambda progress: None) -> None:
        """Train from the current step to the last.

        `on_step` is called after each step: it may evaluate, save, and stop the
        run by raising.
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
        rate = self._rate()
        for group in self._optimizer.param_groups:
            group["lr"] = group["initial_lr"] * rate
        torch.manual_seed((self.recipe.seed << 32) | self.step)
        losses = self._backward(batch)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.step += 1
        self._update_average()
        return Progress(self.step, {name: loss.item() for name, loss in losses.items()})

    @property
    def cools_down(self) -> bool:
        return self.step >= self._cool_down_start(self.steps)

    def _cool_down_start(self, steps: int) -> float:
        return steps * (1 - self.recipe.cool_down)

    def _rate(self) -> float:
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
        """Write a checkpoint, beside and then in place of the last one."""
        state = {
            "recipe": asdict(self.recipe),
            "photos": self.photos,
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "history": self.history,
            "seconds": self.seconds,
        }
        checkpoint.save(state, path)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint; CheckpointError if it is damaged or of another recipe.

        Only the number of epochs may be another one, until the cool-down has begun.
        """
        state = checkpoint.load(path)
        was, now = state["recipe"], asdict(self.recipe)
        if state["step"] <= self._cool_down_start(round(was["epochs"] * self.steps_per_epoch)):
            now["epochs"] = was["epochs"]
        checkpoint.check_recipe(path, was, now)
        if (photos := state["photos"]) != self.photos:
            raise checkpoint.CheckpointError(f"{path} was made with {photos} photos")
        self.step, self.seconds, self.history = state["step"], state["seconds"], state["history"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])


def _groups(
    parts: Sequence[tuple[Sequence[nn.Parameter], float]], weight_decay: float
) -> list[dict[str, Any]]:
    """What an optimizer takes: filters decay, biases and what scales channels do not."""
    groups = []
    for parameters, lr in parts:
        learning = [p for p in parameters if p.requires_grad]
        for some, decay in (
            ([p for p in learning if p.ndim > 1], weight_decay),
            ([p for p in learning if p.ndim == 1], 0.0),
        ):
            groups.append({"params": some, "lr": lr, "initial_lr": lr, "weight_decay": decay})
    return groups
