"""Data and networks so small that a whole training run takes a second."""

from functools import partial

import numpy as np

from bentoml_img.training.classification.cifar10 import SIDE, Split
from bentoml_img.training.classification.trainer import Recipe, Trainer

WIDTHS = (24, 32, 32)

tiny_recipe = partial(Recipe, epochs=2, batch_size=20, max_shift=2)
tiny_trainer = partial(Trainer, widths=WIDTHS)


def make_split(n: int, seed: int) -> Split:
    """Noise around a brightness and a gradient that depend on the class: soon learnt."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % 10
    ramp = np.linspace(-1, 1, SIDE)
    base = 25.0 * labels[:, None, None, None] + (labels[:, None] % 3 * 10 * ramp)[:, :, None, None]
    images = base + random.normal(0, 20, (n, SIDE, SIDE, 3))
    return Split(images.clip(0, 255).astype(np.uint8), labels.astype(np.int64))
