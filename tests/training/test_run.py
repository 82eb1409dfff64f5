from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bentoml_img.training.figures import OnPhoto
from bentoml_img.training.run import Run, RunRecipe


class TinyRun(Run[nn.Linear, Tensor]):
    """A run of 100 steps over a network with one layer."""

    def __init__(self, recipe: RunRecipe) -> None:
        network = nn.Linear(3, 2)
        parts = [(list(network.parameters()), 0.5)]
        super().__init__(network, parts, recipe, recipe.batch_size, 100, "cpu")

    def _load(self, step: int) -> Tensor:
        return torch.ones(3)

    def _backward(self, batch: Tensor) -> Mapping[str, Tensor]:
        loss = self.network(batch).square().sum()
        torch.autograd.backward(loss)
        return {"loss": loss}

    def _measure(self, on_photo: OnPhoto) -> dict[str, Any]:
        return {}


def test_rates_rise_stay_and_fall_to_the_last_step() -> None:
    run = TinyRun(RunRecipe(warm_up_steps=9, cool_down=0.4))
    rates: list[float] = []
    run.run(lambda progress: rates.append(run.optimizer.param_groups[0]["lr"]))
    assert len(rates) == 100
    assert rates[:9] == pytest.approx([0.05 * step for step in range(1, 10)])
    assert rates[9:61] == pytest.approx([0.5] * 52)
    assert rates[60:] == pytest.approx([0.5 * (100 - step) / 40 for step in range(60, 100)])


def test_the_average_forgets_its_beginning_fast() -> None:
    run = TinyRun(RunRecipe(average_decay=0.15))
    weights = [run.network.weight.detach().clone()]
    averages: list[Tensor] = []

    def note(progress: object) -> None:
        weights.append(run.network.weight.detach().clone())
        averages.append(run.average.weight.clone())

    run.run(note)
    first = 0.1 * weights[0] + 0.9 * weights[1]
    second = 0.15 * first + 0.85 * weights[2]
    torch.testing.assert_close(averages[:2], [first, second])
