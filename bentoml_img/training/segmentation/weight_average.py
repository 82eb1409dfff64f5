"""Between two trainings: the mean of their weights.

Of a fine-tuned network and the one that it began with, the mean is often better
than both: Wortsman et al., "Robust fine-tuning of zero-shot models" (arXiv
2109.01903).
"""

import copy
from typing import TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


@torch.no_grad()
def halfway(one: Module, other: Module) -> Module:
    """A module whose parameters and buffers lie halfway between those of two alike.

    Whole numbers, such as counts of batches, are those of the second.
    """
    mean = copy.deepcopy(other)
    values = one.state_dict()
    for name, value in mean.state_dict().items():
        if value.is_floating_point():
            value.lerp_(values[name].to(value.device), 0.5)
    return mean
