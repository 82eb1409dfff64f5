import numpy as np
import pytest

from bentoml_img.images import LUMA
from bentoml_img.training.augment import ColourChanges, change_colours

STILL = ColourChanges(jitter=0, grey=0, blur=0)


def test_neutral_ranges_change_nothing() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(change_colours(pixels, STILL, rng), pixels)


def test_grey_is_the_level_next_to_the_luma() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    how = ColourChanges(jitter=0, grey=1, blur=0)
    grey = change_colours(pixels, how, np.random.default_rng(0))
    assert np.abs(grey - (pixels @ LUMA)[:, :, None]).max() <= 0.501


def test_brightness_contrast_and_saturation_change_each_on_its_own() -> None:
    pixels = np.random.default_rng(0).integers(90, 130, (32, 32, 3), np.uint8)

    def measured(pixels: np.ndarray) -> np.ndarray:
        grey = pixels @ LUMA
        colour = pixels - grey[:, :, None]
        return np.array([grey.mean(), grey.std() / grey.mean(), colour.std() / grey.std()])

    how = ColourChanges(jitter=0.4, grey=0, blur=0)
    factors = np.array(
        [
            measured(change_colours(pixels, how, np.random.default_rng(seed))) / measured(pixels)
            for seed in range(60)
        ]
    )
    assert factors.min(axis=0) == pytest.approx([0.6] * 3, abs=0.06)
    assert factors.max(axis=0) == pytest.approx([1.4] * 3, abs=0.06)
    assert np.abs(np.corrcoef(factors.T) - np.eye(3)).max() < 0.4


def test_photos_are_more_or_less_out_of_focus() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    how = ColourChanges(jitter=0, grey=0, blur=1)
    changed = [change_colours(pixels, how, np.random.default_rng(seed)) for seed in range(20)]
    left = [picture.std() / pixels.std() for picture in changed]
    assert 0 < min(left) < 0.3
    assert 0.6 < max(left) < 1
