import pytest
import torch
from torch import Tensor, nn

from bentoml_img.models.efficientnet_lite import ConvNorm
from bentoml_img.training import gradients
from bentoml_img.training.gradients import fast_gradients

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradients, "fast_dtype", lambda device: torch.float32)


def is_ours(y: Tensor) -> bool:
    assert y.grad_fn is not None
    return y.grad_fn.name() in ("_DenseConv2dBackward", "_DepthwiseConv2dBackward")


def learn(layer: nn.Module, x: Tensor, fast: bool) -> tuple[Tensor, list[Tensor | None]]:
    """What a layer gives, and its gradients."""
    inputs = x.clone().requires_grad_()
    if fast:
        with fast_gradients(CPU):
            y = layer(inputs)
    else:
        y = layer(inputs)
    layer.zero_grad()
    (y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum().backward()
    return y, [inputs.grad, *(parameter.grad for parameter in layer.parameters())]


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(6, 7, 3),
        nn.Conv2d(6, 7, 3, bias=False),
        nn.Conv2d(6, 7, 3, stride=2, padding=1),
        nn.Conv2d(6, 7, 3, dilation=2, padding=2),
        ConvNorm(6, 7, 3, activation=False),
        ConvNorm(6, 6, 3, groups=6, activation=False),
        ConvNorm(6, 6, 5, dilation=2, groups=6, activation=False),
    ],
)
def test_outputs_and_gradients_are_those_of_conv2d(layer: nn.Module) -> None:
    torch.manual_seed(0)
    layer = layer.to(memory_format=torch.channels_last)
    x = torch.randn(2, 6, 12, 15).contiguous(memory_format=torch.channels_last)
    (expected, gradients), (y, found) = learn(layer, x, False), learn(layer, x, True)
    assert not is_ours(expected)
    assert is_ours(y)
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(found, gradients, rtol=1e-4, atol=1e-4)


def test_others_are_left_as_they_are() -> None:
    x = torch.randn(2, 4, 8, 8)
    frozen = nn.Conv2d(4, 4, 3).requires_grad_(False)
    with fast_gradients(CPU):
        for layer in (nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3, groups=2)):
            assert not is_ours(layer(x))
        assert frozen(x).grad_fn is None


def test_in_bfloat16_only_depthwise_ones_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradients, "fast_dtype", lambda device: torch.bfloat16)
    x = torch.randn(2, 4, 8, 8)
    with fast_gradients(CPU):
        assert not is_ours(nn.Conv2d(4, 4, 3)(x))
        assert is_ours(ConvNorm(4, 4, 3, groups=4, activation=False)(x))
