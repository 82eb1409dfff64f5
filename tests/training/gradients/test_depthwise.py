import pytest
import torch
from torch.nn import functional

from bentoml_img.training.gradients.depthwise import depthwise_conv2d


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "side"),
    [
        (3, 1, 1, 1, 8),
        (3, 1, 2, 2, 9),
        (3, 2, 0, 1, 13),
        (5, 1, 2, 1, 9),
        (5, 1, 4, 2, 11),
        (5, 2, 0, 1, 14),
    ],
)
def test_gradients_are_those_of_conv2d(
    kernel: int, stride: int, padding: int, dilation: int, side: int
) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 6, side, side + 2, requires_grad=True)
    weight = torch.randn(6, 1, kernel, kernel, requires_grad=True)
    bias = torch.randn(6, requires_grad=True)
    expected = functional.conv2d(x, weight, bias, stride, padding, dilation, groups=6)
    y = depthwise_conv2d(x, weight, bias, stride, padding, dilation)
    torch.testing.assert_close(y, expected)

    gradient = torch.randn_like(y)
    inputs = (x, weight, bias)
    ours = torch.autograd.grad(y, inputs, gradient)
    theirs = torch.autograd.grad(expected, inputs, gradient)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_under_autocast_it_computes_in_half_precision() -> None:
    x = torch.randn(1, 4, 6, 6)
    weight = torch.randn(4, 1, 3, 3, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = depthwise_conv2d(x, weight, torch.zeros(4), 1, 1, 1)
    torch.autograd.backward(y.float().sum())
    assert y.dtype == torch.bfloat16
    assert weight.grad is not None
    assert weight.grad.dtype == torch.float32
