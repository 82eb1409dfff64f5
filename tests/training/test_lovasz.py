import numpy as np
import pytest
import torch
from torch.nn import functional

from bentoml_img.training.lovasz import lovasz_softmax
from bentoml_img.training.segmentation_eval import Confusion


def test_of_masks_that_are_sure_it_is_what_miou_lacks_of_1() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 500).astype(np.uint8)
    mask = np.where(rng.random(500) < 0.3, rng.integers(0, 6, 500), truth).astype(np.uint8)
    confusion = Confusion()
    confusion.add(truth, mask)
    targets = torch.from_numpy(truth).long()
    probabilities = functional.one_hot(torch.from_numpy(mask).long(), 21).float()
    loss = lovasz_softmax(probabilities, targets)
    assert float(loss) == pytest.approx(1 - confusion.mean_iou(), abs=1e-6)


def test_it_pulls_towards_the_truth() -> None:
    logits = torch.zeros(30, 3, requires_grad=True)
    targets = torch.arange(30) % 3
    before = lovasz_softmax(logits.softmax(1), targets)
    torch.autograd.backward(before)
    assert logits.grad is not None
    after = lovasz_softmax((logits - 10 * logits.grad).softmax(1), targets)
    assert after.item() < before.item()


def test_nothing_known_is_no_loss() -> None:
    logits = torch.zeros(0, 3, requires_grad=True)
    loss = lovasz_softmax(logits.softmax(1), torch.zeros(0, dtype=torch.long))
    torch.autograd.backward(loss)
    assert loss.item() == 0
