"""Interpolates between the weights at the start and at the end of a training.

Fine-tuning makes a network forget what the new data do not show. The interpolated network is
better on other photos, and often no worse on those of the training: Wortsman et al., "Robust
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
    """A copy of the module with the weights (1 - share) × its own + share × those of `start`.

    Integers, such as the counts of batches in batch norms, stay as in the module.
    """
    mean = copy.deepcopy(module)
    for name, value in mean.state_dict().items():
        if value.is_floating_point():
            value.lerp_(start[name].to(value.device), share)
    return mean
