import torch
from torch import nn

from bentoml_img.training.segmentation.weight_average import halfway


def test_weights_and_statistics_are_means_and_counts_are_not() -> None:
    one, other = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    with torch.no_grad():
        one.weight.copy_(torch.tensor([1.0, 2.0]))
        other.weight.copy_(torch.tensor([3.0, 2.0]))
        one.running_mean, other.running_mean = torch.zeros(2), torch.ones(2)
        other.num_batches_tracked = torch.tensor(7)
    mean = halfway(one, other)
    assert mean.weight.tolist() == [2, 2]
    assert mean.running_mean is not None
    assert mean.running_mean.tolist() == [0.5, 0.5]
    assert mean.num_batches_tracked == 7
    assert (one.weight.tolist(), other.weight.tolist()) == ([1, 2], [3, 2]), "stay as they were"
