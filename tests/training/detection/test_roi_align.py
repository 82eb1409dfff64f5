"""RoIAlign as a sparse matrix: torchvision's numbers, and its gradients."""

import pytest
import torch
from torchvision.ops import MultiScaleRoIAlign

from bentoml_img.training.detection.roi_align import roi_align

SIZES = [(96, 128), (96, 128)]


def pyramid() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    maps = {
        str(i): torch.randn(2, 5, 96 >> shift, 128 >> shift, generator=generator)
        for i, shift in enumerate((2, 3, 4))
    }
    return {name: level.requires_grad_() for name, level in maps.items()}


def some_boxes(n: int = 60) -> list[torch.Tensor]:
    """Tiny and large ones, some of them partly or wholly outside of the picture."""
    generator = torch.Generator().manual_seed(1)
    corners = torch.rand(2, n, 2, generator=generator) * 170 - 25
    sides = torch.rand(2, n, 2, generator=generator) ** 3 * 320
    return list(torch.cat([corners, corners + sides], dim=2))


def gradient_of(tensor: torch.Tensor) -> torch.Tensor:
    assert tensor.grad is not None
    return tensor.grad


@pytest.mark.parametrize("side", [7, 14])
@pytest.mark.parametrize("names", [["0", "1", "2"], ["1"]], ids=["pyramid", "one-level"])
def test_agrees_with_torchvision_forward_and_backward(side: int, names: list[str]) -> None:
    pool = MultiScaleRoIAlign(names, side, 2)
    ours, theirs, boxes = pyramid(), pyramid(), some_boxes()
    aligned, expected = roi_align(pool, ours, boxes, SIZES), pool(theirs, boxes, SIZES)
    assert torch.allclose(aligned, expected, atol=1e-5)

    gradient = torch.randn(expected.shape, generator=torch.Generator().manual_seed(2))
    torch.autograd.backward([aligned, expected], [gradient, gradient])
    for name in names:
        given, wanted = gradient_of(ours[name]), gradient_of(theirs[name])
        assert torch.allclose(given, wanted, atol=1e-4)
        assert wanted.abs().max() > 0.5  # there was something to agree on


def test_no_boxes_give_nothing_to_learn_from() -> None:
    features = pyramid()
    pool = MultiScaleRoIAlign(["0", "1"], 7, 2)
    aligned = roi_align(pool, features, [torch.zeros(0, 4)] * 2, SIZES)
    assert aligned.shape == (0, 5, 7, 7)
    torch.autograd.backward(aligned.sum())
    assert not gradient_of(features["0"]).any()
