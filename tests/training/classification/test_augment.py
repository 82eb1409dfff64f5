from dataclasses import replace

import numpy as np
import pytest

from bentoml_img.training.augment import FILL
from bentoml_img.training.classification.augment import Augmentation, random_view

SIDE = 96
PLAIN = replace(Augmentation(), jitter=0.0, grey=0.0, scale=(1.0, 1.0), aspect=1.0, cutout=0.0)
RAMP = np.broadcast_to((np.arange(32, dtype=np.uint8) * 8)[None, :, None], (32, 32, 3)).copy()


def views(how: Augmentation, n: int = 40) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([random_view(RAMP, SIDE, how, rng) for _ in range(n)])


def test_without_changes_it_is_enlarged_and_every_other_one_mirrored() -> None:
    found = views(PLAIN)
    assert found.shape == (40, SIDE, SIDE, 3)
    rising = found[:, :, -1].mean(axis=(1, 2)) > found[:, :, 0].mean(axis=(1, 2))
    assert 10 < rising.sum() < 30
    upright = np.where(rising[:, None, None, None], found, found[:, :, ::-1])
    assert (upright == upright[0]).all()
    np.testing.assert_allclose(upright[0, 0, :, 0], np.linspace(-1.3, 249.3, 96), atol=4)


@pytest.mark.parametrize("scale", [0.5, 1.4])
def test_the_window_has_the_size_that_was_drawn(scale: float) -> None:
    found = views(replace(PLAIN, scale=(scale, scale))).astype(int)
    middle = found[:, SIDE // 2, SIDE // 2 - 8 : SIDE // 2 + 8, 0]
    slopes = np.abs(middle[:, -1] - middle[:, 0]) / 15
    assert np.median(slopes) == pytest.approx(8 * 32 * scale / SIDE, rel=0.1)


def test_beyond_its_edges_the_image_is_mirrored() -> None:
    found = views(replace(PLAIN, scale=(1.4, 1.4)))
    assert found.min() == 0
    assert (found[:, :, 0, 0] > 5).any(), "what lies beyond the darkest column is lighter again"


def test_a_square_is_hidden_whose_side_is_drawn() -> None:
    hidden = (views(replace(PLAIN, cutout=0.5)) == FILL).all(axis=3)
    sides = hidden.any(axis=2).sum(axis=1), hidden.any(axis=1).sum(axis=1)
    assert max(side.max() for side in sides) <= SIDE / 2 + 1
    assert len(np.unique(sides[0])) > 10


def test_an_image_of_a_seed_is_the_same_twice() -> None:
    first, second = (
        random_view(RAMP, SIDE, Augmentation(), np.random.default_rng(3)) for _ in range(2)
    )
    assert (first == second).all()
    assert (random_view(RAMP, SIDE, Augmentation(), np.random.default_rng(4)) != first).any()
