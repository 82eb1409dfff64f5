"""Data so little that a whole training run takes a second or two."""

from functools import partial

import numpy as np

from bentoml_img.training.classification.cifar10 import SIDE, Split
from bentoml_img.training.classification.trainer import Recipe

# Images are learned from as they are, which takes a sixteenth of the time.
tiny_recipe = partial(Recipe, epochs=2, batch_size=20, warm_up_steps=2, side=SIDE)


def make_split(n: int, seed: int) -> Split:
    """Noise around a brightness and a gradient that depend on the class: soon learnt."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % 10
    ramp = np.linspace(-1, 1, SIDE)
    base = 25.0 * labels[:, None, None, None] + (labels[:, None] % 3 * 10 * ramp)[:, :, None, None]
    images = base + random.normal(0, 20, (n, SIDE, SIDE, 3))
    return Split(images.clip(0, 255).astype(np.uint8), labels.astype(np.int64))
