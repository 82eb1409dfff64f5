"""Muon: momentum whose update is orthogonalised before it is applied.

Method: Keller Jordan et al., "Muon: An optimizer for hidden layers" (2024).
torch.optim.Muon takes matrices only; this one takes convolution filters.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from bentoml_img.training.autocast import fast_dtype

# Coefficients of the quintic iteration from the same source: they push every
# singular value towards 1 fast, to within about 0.3, which is close enough.
A, B, C = 3.4445, -4.7750, 2.0315


def orthogonalize(matrix: Tensor, steps: int = 5, eps: float = 1e-7) -> Tensor:
    """The nearest semi-orthogonal matrix, roughly, by Newton-Schulz: shape and dtype kept.

    What it gives depends on `fast_dtype`, and so on the device, but only as far as it is rough.
    """
    x: Tensor = matrix.to(fast_dtype(matrix.device))
    x = x / (x.norm() + eps)
    if tall := x.shape[0] > x.shape[1]:
        x = x.t()
    for _ in range(steps):
        gram = x @ x.t()
        x = A * x + (B * gram + C * gram @ gram) @ x
    return (x.t() if tall else x).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """For convolution filters that batch normalisation follows.

    Their scale does not matter to the network, so each step also resets the
    norm of a filter bank of n filters to √n: the learning rate then is the
    relative size of a step.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(p)
                buffer = state["momentum_buffer"].mul_(group["momentum"]).add_(p.grad)
                update = p.grad.add(buffer, alpha=group["momentum"])  # Nesterov
                p.mul_(len(p) ** 0.5 / p.norm())
                p.add_(orthogonalize(update.reshape(len(p), -1)).view_as(p), alpha=-group["lr"])
