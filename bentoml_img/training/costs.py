"""The size of a network, and its multiply-adds."""

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def costs(module: nn.Module, compute: Callable[[], object]) -> dict[str, float]:
    """The number of parameters, and the multiply-adds of `compute`, in units of 10⁹."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        compute()
    return {
        "parameters": sum(p.numel() for p in module.parameters()),
        "gflops": round(counter.get_total_flops() / 2e9, 2),
    }
