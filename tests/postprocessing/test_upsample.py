import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from bentoml_img.arrays import Float32Array, UInt8Array
from bentoml_img.postprocessing.upsample import upsample_labels


def noise(classes: int, height: int, width: int, seed: int = 0) -> Float32Array:
    """Scores with a border in every cell."""
    return np.random.default_rng(seed).normal(size=(classes, height, width)).astype(np.float32)


def blobs(classes: int, height: int, width: int) -> Float32Array:
    """Scores of smooth regions, as networks give them."""
    coarse = torch.from_numpy(noise(classes, 4, 5))[None]
    smooth = functional.interpolate(coarse, (height, width), mode="bicubic")[0].numpy()
    scores: Float32Array = 6 * smooth + 0.3 * noise(classes, height, width)
    return scores


def assert_same_as_torch(scores: Float32Array, height: int, width: int) -> None:
    """Equal labels, but where the best two scores differ by no more than rounding."""
    mask = upsample_labels(scores, height, width)
    expected = functional.interpolate(
        torch.from_numpy(scores)[None], (height, width), mode="bilinear", align_corners=False
    )[0]
    assert mask.dtype == np.uint8
    assert mask.shape == (height, width)
    chosen = expected.gather(0, torch.from_numpy(mask.astype(np.int64))[None])[0]
    shortfall = expected.max(dim=0).values - chosen
    assert shortfall.max() < 1e-5
    assert (shortfall > 0).float().mean() < 1e-3


@pytest.mark.parametrize("make", [noise, blobs])
@pytest.mark.parametrize(
    ("grid", "size"),
    [
        ((65, 87), (520, 693)),  # 8 and 7.97, as for the networks' own input
        ((33, 44), (375, 500)),
        ((65, 87), (333, 517)),
        ((17, 23), (1000, 777)),
        ((65, 87), (32, 41)),  # a photo smaller than the grid
        ((9, 7), (9, 7)),
        ((1, 9), (50, 301)),
        ((9, 1), (301, 50)),
        ((1, 1), (3, 2)),
    ],
)
def test_labels_are_those_of_torch(
    make: Callable[..., Float32Array], grid: tuple[int, int], size: tuple[int, int]
) -> None:
    assert_same_as_torch(make(21, *grid), *size)


@settings(max_examples=60, deadline=None)
@given(
    classes=st.integers(1, 5),
    grid=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    seed=st.integers(0, 2**16),
)
def test_any_size(classes: int, grid: tuple[int, int], size: tuple[int, int], seed: int) -> None:
    assert_same_as_torch(noise(classes, *grid, seed), *size)


def test_a_class_that_is_highest_at_no_corner_can_win_between() -> None:
    scores = np.array([[[1.0, 0.0]], [[0.0, 1.0]], [[0.7, 0.7]]], np.float32)
    assert set(upsample_labels(scores, 1, 60)[0].tolist()) == {0, 1, 2}
    assert_same_as_torch(scores, 5, 60)


def test_one_class_everywhere() -> None:
    scores = noise(21, 9, 9) * 0.1
    scores[7] += 10
    assert (upsample_labels(scores, 100, 130) == 7).all()


def peak_bytes(scores: Float32Array, height: int, width: int) -> tuple[int, UInt8Array]:
    tracemalloc.start()
    try:
        mask = upsample_labels(scores, height, width)
        return tracemalloc.get_traced_memory()[1], mask
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("grid", [(65, 87), (1, 260)])
def test_memory_is_that_of_the_mask_and_a_few_megabytes(grid: tuple[int, int]) -> None:
    peak, mask = peak_bytes(noise(21, *grid), 1500, 4000)
    assert peak - mask.nbytes < 12e6
