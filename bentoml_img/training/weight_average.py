"""Between what a training began with and what it ended with: a mean of their weights.

A network that was fine-tuned forgets what its data do not show; such a mean is
better on other photos, and often no worse on these: Wortsman et al., "Robust
fine-tuning of zero-shot models" (arXiv 2109.01903).
"""

import copy
from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)


@torch.no_grad()
def interpolate(module: Module, start: Mapping[str, Tensor], share: float) -> Module:
    """A copy whose parameters and buffers are means with those of `start`, which have that share.

    Whole numbers, such as counts of batches, stay the module's.
    """
    mean = copy.deepcopy(module)
    for name, value in mean.state_dict().items():
        if value.is_floating_point():
            value.lerp_(start[name].to(value.device), share)
    return mean
