"""Rare classes more often: repeat-factor sampling, Gupta et al., "LVIS" (arXiv 1908.03195)."""

import numpy as np

from bentoml_img.arrays import BoolArray, Float64Array


def repeat_factors(present: BoolArray, rare: float) -> Float64Array:
    """How much more often than others each photo is to be drawn: shape (N,), at least 1.

    `present` (N, classes) says which photo has which class. A class that a share r
    of the photos have, less than `rare`, weighs √(rare / r); the rarest class of a
    photo decides.
    """
    frequency = np.maximum(present.mean(axis=0), 1 / len(present))
    repeat = np.maximum(1.0, np.sqrt(rare / frequency))
    factors: Float64Array = np.where(present, repeat, 1.0).max(axis=1)
    return factors
