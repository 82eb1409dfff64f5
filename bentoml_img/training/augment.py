"""Augmentation that all tasks share: changes of colours, and random scales."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from bentoml_img.arrays import UInt8Array
from bentoml_img.images import LUMA

FILL = (127, 127, 127)  # beyond a photo's edge


@dataclass(frozen=True)
class ColourChanges:
    """Brightness, contrast and saturation are multiplied by factors in 1 ± `jitter`.

    `grey` and `blur` are the probabilities (0–1) that a photo loses its colours or its focus.
    """

    jitter: float = 0.4
    grey: float = 0.03
    blur: float = 0.1


def change_colours(pixels: UInt8Array, how: ColourChanges, rng: np.random.Generator) -> UInt8Array:
    """Other brightness, contrast and saturation; now and then grey or out of focus."""
    if rng.random() < how.blur:
        radius = ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5))
        pixels = np.asarray(Image.fromarray(pixels).filter(radius))
    brightness, contrast, saturation = rng.uniform(1 - how.jitter, 1 + how.jitter, 3)
    if rng.random() < how.grey:
        saturation = 0.0
    x = pixels.astype(np.float32)
    grey = (x @ np.array(LUMA, np.float32))[:, :, None]
    mean = grey.mean()
    # All three at once: towards the luma, towards its mean, and times a factor.
    x = x * np.float32(saturation) + grey * np.float32(1 - saturation)
    x = (x - mean) * np.float32(contrast * brightness) + mean * np.float32(brightness)
    changed: UInt8Array = np.rint(x).clip(0, 255).astype(np.uint8)
    return changed


def log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    """A factor between `low` and `high`; doubling is as likely as halving."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
