"""Augmentation of images of CIFAR-10, and their enlargement to the network's input size."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from bentoml_img.arrays import UInt8Array
from bentoml_img.training.augment import FILL, ColourChanges, change_colours, log_uniform


@dataclass(frozen=True)
class Augmentation(ColourChanges):
    """Ranges of the changes.

    The network sees a window of an image. Its side is that of the image times a factor in
    `scale`, its aspect ratio changes by up to the factor `aspect`. A square in it is hidden,
    its side at most `cutout` times the window's (DeVries and Taylor, "Improved
    Regularization of Convolutional Neural Networks with Cutout", arXiv 1708.04552).
    """

    grey: float = 0.05
    blur: float = 0.0
    scale: tuple[float, float] = (0.6, 1.8)
    aspect: float = 1.5
    cutout: float = 0.5


def random_view(
    image: UInt8Array, side: int, how: Augmentation, rng: np.random.Generator
) -> UInt8Array:
    """A changed image (side, side, 3) from a small one (height, width, 3).

    Where the window is larger than the image, the image is mirrored at its edges.
    """
    scale = log_uniform(*how.scale, rng)
    stretch = np.sqrt(log_uniform(1 / how.aspect, how.aspect, rng))
    window, margins = [], []
    for length, factor in zip(image.shape[:2], (scale / stretch, scale * stretch), strict=True):
        extent = length * factor
        margin = max(0, math.ceil(extent - length))
        start = margin + rng.uniform() * (length - extent)  # within the image, or around it
        window.append((start, start + extent))
        margins.append((margin, margin))
    (top, bottom), (left, right) = window
    padded = np.pad(change_colours(image, how, rng), (*margins, (0, 0)), mode="reflect")
    view = Image.fromarray(padded).resize(
        (side, side), Image.Resampling.BICUBIC, (left, top, right, bottom)
    )
    pixels: UInt8Array = np.array(view)
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    _hide_square(pixels, how.cutout, rng)
    return pixels


def _hide_square(pixels: UInt8Array, cutout: float, rng: np.random.Generator) -> None:
    half = rng.uniform(0, cutout) * len(pixels) / 2
    centre = rng.uniform(size=2) * pixels.shape[:2]
    low, high = np.maximum(centre - half, 0).astype(int), np.maximum(centre + half, 0).astype(int)
    pixels[low[0] : high[0], low[1] : high[1]] = FILL
