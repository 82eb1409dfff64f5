import torch
from torch import nn

from bentoml_img.training.optimizer import adamw


def test_filters_decay_and_biases_and_norms_do_not() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    optimizer = adamw([(list(network.parameters()), 0.5)], weight_decay=0.3)
    assert {group["lr"] for group in optimizer.param_groups} == {0.5}
    decays = {p: group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert [decays[p] for p in network.parameters()] == [0.3, 0, 0, 0]


def test_what_does_not_learn_is_left_out() -> None:
    frozen, learning = (torch.nn.Parameter(torch.ones(2, 2)) for _ in range(2))
    frozen.requires_grad_(False)
    groups = adamw([([frozen, learning], 0.5)], weight_decay=0.3).param_groups
    assert [p is learning for group in groups for p in group["params"]] == [True]
