"""The Lovász-softmax loss: a stand-in for mIoU that has a gradient.

Berman et al., "The Lovász-Softmax loss: A tractable surrogate for the optimization of the
intersection-over-union measure in neural networks" (arXiv 1705.08790).
"""

import torch
from torch import Tensor


def lovasz_softmax(probabilities: Tensor, targets: Tensor) -> Tensor:
    """The mean over the classes that the targets have: a scalar in 0–1.

    `probabilities` (N, classes) are of N pixels, taken together as one mask,
    `targets` (N) their class ids, all of them known.
    """
    present = torch.bincount(targets).nonzero().flatten().tolist()
    losses = [_one_class(probabilities[:, k], targets == k) for k in present]
    return torch.stack(losses).mean() if losses else probabilities.sum()


def _one_class(probability: Tensor, truth: Tensor) -> Tensor:
    errors = torch.where(truth, 1 - probability, probability)
    errors, order = errors.sort(descending=True)
    right = truth[order].float()
    # The Jaccard loss if only the first, the first two, … pixels were wrong; its steps weigh them.
    true = right.sum()
    loss = 1 - (true - right.cumsum(0)) / (true + (1 - right).cumsum(0))
    weights = torch.diff(loss, prepend=loss.new_zeros(1))
    return errors @ weights
