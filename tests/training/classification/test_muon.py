import pytest
import torch

from bentoml_img.training.classification import muon
from bentoml_img.training.classification.muon import Muon, orthogonalize


@pytest.mark.parametrize("shape", [(6, 40), (40, 6)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_singular_values_are_pushed_towards_one(
    shape: tuple[int, int], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(muon, "fast_dtype", lambda device: dtype)
    matrix = 100 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    result = orthogonalize(matrix)
    assert (result.shape, result.dtype) == (shape, torch.float32)
    assert torch.equal(result, result.to(dtype).float()), "it was computed in this precision"
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    torch.testing.assert_close(u.T @ result @ v.T, torch.eye(6), atol=0.35, rtol=0)


def test_a_step_turns_filters_by_the_learning_rate_from_a_norm_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # In bfloat16 the gradient and its multiple, the first momentum, are rounded differently.
    monkeypatch.setattr(muon, "fast_dtype", lambda device: torch.float32)
    generator = torch.Generator().manual_seed(0)
    filters = torch.nn.Parameter(torch.randn(4, 2, 3, 3, generator=generator))
    start = filters.detach().clone()
    filters.grad = torch.randn(4, 2, 3, 3, generator=generator)
    Muon([filters], lr=0.1, momentum=0.6).step()
    scaled = start * 2 / start.norm()
    step = (scaled - filters.detach()).reshape(4, -1) / 0.1
    torch.testing.assert_close(step, orthogonalize(filters.grad.reshape(4, -1)))
