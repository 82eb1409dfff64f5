import torch
from torch import nn

from bentoml_img.training.weight_average import interpolate


def test_weights_and_statistics_are_means_and_counts_are_not() -> None:
    began, ended = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    with torch.no_grad():
        began.weight.copy_(torch.tensor([1.0, 2.0]))
        ended.weight.copy_(torch.tensor([5.0, 2.0]))
        began.running_mean, ended.running_mean = torch.zeros(2), torch.ones(2)
        ended.num_batches_tracked = torch.tensor(7)
    mean = interpolate(ended, began.state_dict(), 0.25)
    assert mean.weight.tolist() == [4, 2]
    assert mean.running_mean is not None
    assert mean.running_mean.tolist() == [0.75, 0.75]
    assert mean.num_batches_tracked == 7
    assert (began.weight.tolist(), ended.weight.tolist()) == ([1, 2], [5, 2]), "stay as they were"
