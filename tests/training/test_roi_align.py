"""RoIAlign as a sparse matrix: torchvision's numbers, and its gradients."""

import pytest

torch = pytest.importorskip("torch")

from torchvision.ops import MultiScaleRoIAlign  # noqa: E402

from bentoml_img.training.roi_align import roi_align  # noqa: E402

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


@pytest.mark.parametrize("side", [7, 14])
@pytest.mark.parametrize("names", [["0", "1", "2"], ["1"]], ids=["pyramid", "one-level"])
def test_agrees_with_torchvision_forward_and_backward(side: int, names: list[str]) -> None:
    pool = MultiScaleRoIAlign(names, side, 2)
    ours, theirs, boxes = pyramid(), pyramid(), some_boxes()
    aligned, expected = roi_align(pool, ours, boxes, SIZES), pool(theirs, boxes, SIZES)
    assert torch.allclose(aligned, expected, atol=1e-5)

    gradient = torch.randn(expected.shape, generator=torch.Generator().manual_seed(2))
    aligned.backward(gradient)
    expected.backward(gradient)
    for name in names:
        assert torch.allclose(ours[name].grad, theirs[name].grad, atol=1e-4)
        assert theirs[name].grad.abs().max() > 0.5  # there was something to agree on


def test_no_boxes_give_nothing_to_learn_from() -> None:
    features = pyramid()
    pool = MultiScaleRoIAlign(["0", "1"], 7, 2)
    aligned = roi_align(pool, features, [torch.zeros(0, 4)] * 2, SIZES)
    assert aligned.shape == (0, 5, 7, 7)
    aligned.sum().backward()
    assert not features["0"].grad.any()
