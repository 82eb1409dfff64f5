import torch
from torch import nn

from bentoml_img.exporting.export import round_to_half


def test_halved_weights_are_what_a_graph_without_norms_would_have() -> None:
    torch.manual_seed(0)
    norms = nn.BatchNorm2d(8), nn.BatchNorm2d(4)
    convs = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1, bias=False)
    module = nn.Sequential(convs[0], norms[0], nn.ReLU(), convs[1], norms[1]).eval()
    with torch.no_grad():
        for norm in norms:
            assert norm.running_mean is not None
            assert norm.running_var is not None
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 40)
            norm.weight.normal_()
            norm.bias.normal_()
    images = torch.randn(2, 3, 16, 16)
    expected = module(images)
    round_to_half(module)
    torch.testing.assert_close(module(images), expected, rtol=1e-2, atol=1e-2)
    for value in (*convs[0].parameters(), *convs[1].parameters(), norms[0].bias, norms[1].bias):
        assert torch.equal(value, value.half().float())
    for conv, norm in zip(convs, norms, strict=True):
        ones = torch.ones(1, conv.out_channels, 2, 2)
        added = (norm(ones) - ones)[0, :, 0, 0]
        torch.testing.assert_close(added, norm.bias, msg="norms are left to add only")
