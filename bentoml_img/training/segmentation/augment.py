"""Augmentation of photos and their masks.

Objects of a class are pasted from one photo into another: Olsson et al., "ClassMix"
(arXiv 2007.07936), with one class at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from PIL import Image

from bentoml_img.arrays import UInt8Array
from bentoml_img.labels import VOC_IGNORE
from bentoml_img.training.augment import FILL, ColourChanges, change_colours, log_uniform
from bentoml_img.training.layouts import Sample
from bentoml_img.training.readable import first_readable
from bentoml_img.training.segmentation.sampler import Sampler

Crop = tuple[UInt8Array, UInt8Array]
"""A square (side, side, 3) of a photo, and of its mask (side, side): VOC ids or 255."""


@dataclass(frozen=True)
class Augmentation(ColourChanges):
    """Ranges of the changes. Sizes are in pixels, probabilities and shares in 0–1.

    A photo is scaled so that its short side is `base_side` times a factor in `scale`, and its
    aspect ratio changes by up to the factor `aspect`. Then a square of `crop_side` is cut out.
    `paste` is the probability that objects of another photo are pasted into it.
    """

    jitter: float = 0.5
    grey: float = 0.1
    blur: float = 0.2
    crop_side: int = 416
    base_side: int = 480
    scale: tuple[float, float] = (0.45, 1.8)
    aspect: float = 1.2
    paste: float = 0.4


def random_crop(
    image: Image.Image, mask: Image.Image, how: Augmentation, rng: np.random.Generator
) -> Crop:
    """A square (side, side, 3) of a scaled and perhaps mirrored photo, and of its mask.

    Where the photo does not fill the square, the mask is 255.
    """
    side = how.crop_side
    scale = how.base_side / min(image.size) * log_uniform(*how.scale, rng)
    stretch = np.sqrt(log_uniform(1 / how.aspect, how.aspect, rng))
    start, extent, place = [], [], []
    for length, factor in zip(image.size, (scale * stretch, scale / stretch), strict=True):
        window = min(length, side / factor)
        shown = min(side, max(1, round(window * factor)))
        start.append(rng.uniform(0, length - window))
        extent.append((window, shown))
        place.append(int(rng.integers(0, side - shown + 1)))
    (width, shown_width), (height, shown_height) = extent
    size = shown_width, shown_height
    left, top = start
    box = left, top, left + width, top + height
    pixels: UInt8Array = np.full((side, side, 3), FILL, np.uint8)
    labels = np.full((side, side), VOC_IGNORE, np.uint8)
    rows = slice(place[1], place[1] + shown_height)
    columns = slice(place[0], place[0] + shown_width)
    pixels[rows, columns] = np.asarray(image.resize(size, Image.Resampling.BILINEAR, box))
    labels[rows, columns] = np.asarray(mask.resize(size, Image.Resampling.NEAREST, box))
    if rng.random() < 0.5:
        pixels, labels = pixels[:, ::-1], labels[:, ::-1]
    return pixels, labels


def paste(onto: Crop, source: Crop, class_id: int) -> None:
    """Paste the pixels of a class in `source` onto another crop, in place."""
    here = source[1] == class_id
    onto[0][here] = source[0][here]
    onto[1][here] = class_id


def load_batch(
    samples: Sequence[Sample], sampler: Sampler, n: int, how: Augmentation, seed: Sequence[int]
) -> tuple[UInt8Array, UInt8Array]:
    """A batch: photos (n, side, side, 3), masks (n, side, side). The same seed gives the same.

    Photos that cannot be read, or whose masks cannot, are replaced by others.
    """
    rng = np.random.default_rng(seed)
    places = sampler.draw(n, rng)
    others = (sampler.draw_class(rng) for _ in count())

    def load(place: int) -> Crop:
        return _crop(samples[place], how, rng)

    def load_other(choice: tuple[int, int]) -> tuple[int, Crop]:
        class_id, place = choice
        return class_id, load(place)

    crops = []
    for _ in range(n):
        crop = first_readable(places, load)
        if rng.random() < how.paste:
            class_id, other = first_readable(others, load_other)
            paste(crop, other, class_id)
        crops.append(crop)
    return np.stack([pixels for pixels, _ in crops]), np.stack([mask for _, mask in crops])


def _crop(sample: Sample, how: Augmentation, rng: np.random.Generator) -> Crop:
    pixels, mask = random_crop(*sample.load(), how, rng)
    return change_colours(pixels, how, rng), mask
