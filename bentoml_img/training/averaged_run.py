"""A run whose weights are averaged: what the trainers of the light networks have in common.

AdamW; learning rates that rise fast, stay, and fall linearly at the end (the
cool-down, Hägele et al., arXiv 2405.18392); an exponential moving average of
the weights is what is evaluated and exported.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from bentoml_img.training.run import Batch, Network, Progress, Run, RunRecipe


@dataclass(frozen=True)
class AveragedRecipe(RunRecipe):
    """What such a run depends on, beside the data; `cool_down` is the last part of the run."""

    weight_decay: float = 0.02
    warm_up_steps: int = 100
    cool_down: float = 0.5
    average_decay: float = 0.998


class AveragedRun(Run[Network, Batch]):
    """A run with `average`, the moving average of the network's weights.

    Each of `parts` pairs parameters of the network with their learning rate;
    parameters without `requires_grad` are skipped.
    """

    recipe: AveragedRecipe

    def __init__(
        self,
        network: Network,
        parts: Sequence[tuple[Sequence[nn.Parameter], float]],
        recipe: AveragedRecipe,
        photos: int,
        steps_per_epoch: int,
        device: str | torch.device,
    ) -> None:
        optimizer = torch.optim.AdamW(_decaying(parts, recipe.weight_decay), fused=True)
        super().__init__(network, [optimizer], recipe, photos, steps_per_epoch, device)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)

    @property
    def cools_down(self) -> bool:
        return self.step >= self._cool_down_start(self.steps)

    def _cool_down_start(self, steps: int) -> float:
        return steps * (1 - self.recipe.cool_down)

    def _rate(self, group: Mapping[str, Any]) -> float:
        warm_up = (self.step + 1) / (self.recipe.warm_up_steps + 1)
        cool_down = (self.steps - self.step) / (self.recipe.cool_down * self.steps)
        return min(1.0, warm_up, cool_down)

    def _one_step(self, batch: Batch) -> Progress:
        progress = super()._one_step(batch)
        self._update_average()
        return progress

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.recipe.average_decay, self.step / (self.step + 9))
        current = self.network.state_dict()
        for name, mean in self.average.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(current[name], 1 - decay)
            else:
                mean.copy_(current[name])

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "average": self.average.state_dict()}

    def _recipe_of(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Only the epochs may be more or fewer, while neither cool-down would have begun."""
        recipe, epochs = asdict(self.recipe), state["recipe"]["epochs"]
        shorter = min(self.steps, round(epochs * self.steps_per_epoch))
        if state["step"] <= self._cool_down_start(shorter):
            recipe["epochs"] = epochs
        return recipe

    def _set_state(self, state: Mapping[str, Any]) -> None:
        super()._set_state(state)
        self.average.load_state_dict(state["average"])


def _decaying(
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
            groups.append({"params": some, "lr": lr, "weight_decay": decay})
    return groups
