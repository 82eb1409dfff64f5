import pytest
import torch
from torch import Tensor, nn

from bentoml_img.training.detection import weight_gradients
from bentoml_img.training.detection.weight_gradients import fast_weight_gradients

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_gradients, "fast_dtype", lambda device: torch.float32)


def made_by(y: Tensor) -> str:
    assert y.grad_fn is not None
    return y.grad_fn.name()


def learn(layer: nn.Conv2d, x: Tensor, fast: bool) -> tuple[Tensor, list[Tensor | None]]:
    """What a layer gives, and its gradients."""
    inputs = x.clone().requires_grad_()
    if fast:
        with fast_weight_gradients(CPU):
            y = layer(inputs)
    else:
        y = layer(inputs)
    layer.zero_grad()
    (y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum().backward()
    return y, [inputs.grad, *(parameter.grad for parameter in layer.parameters())]


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(5, 7, 3),
        nn.Conv2d(5, 7, 3, bias=False),
        nn.Conv2d(5, 7, 3, stride=2, padding=1),
        nn.Conv2d(5, 7, 3, dilation=2, padding=2),
    ],
)
def test_outputs_and_gradients_are_those_of_conv2d(layer: nn.Conv2d) -> None:
    torch.manual_seed(0)
    layer = layer.to(memory_format=torch.channels_last)
    x = torch.randn(2, 5, 12, 15).contiguous(memory_format=torch.channels_last)
    (expected, gradients), (y, found) = learn(layer, x, False), learn(layer, x, True)
    assert "Convolution" in made_by(expected)
    assert "Convolution" not in made_by(y)
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(found, gradients)


def test_others_are_left_as_they_are() -> None:
    x = torch.randn(2, 4, 8, 8)
    frozen = nn.Conv2d(4, 4, 3).requires_grad_(False)
    with fast_weight_gradients(CPU):
        for layer in (nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3, groups=4)):
            assert "Convolution" in made_by(layer(x))
        assert frozen(x).grad_fn is None


def test_in_bfloat16_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_gradients, "fast_dtype", lambda device: torch.bfloat16)
    with fast_weight_gradients(CPU):
        assert "Convolution" in made_by(nn.Conv2d(4, 4, 3)(torch.randn(2, 4, 8, 8)))
