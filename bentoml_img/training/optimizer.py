"""The optimizer of all trainers: AdamW."""

from collections.abc import Sequence

from torch import nn
from torch.optim import AdamW


def adamw(parts: Sequence[tuple[Sequence[nn.Parameter], float]], weight_decay: float) -> AdamW:
    """AdamW for `parts`: parameters, and their learning rate.

    Biases and the parameters of batch norms, which are vectors, do not decay. Parameters
    without `requires_grad` are left out.
    """
    groups = []
    for parameters, lr in parts:
        learning = [p for p in parameters if p.requires_grad]
        matrices = [p for p in learning if p.ndim > 1]
        vectors = [p for p in learning if p.ndim == 1]
        groups.append({"params": matrices, "lr": lr, "weight_decay": weight_decay})
        groups.append({"params": vectors, "lr": lr, "weight_decay": 0.0})
    return AdamW(groups, fused=True)
