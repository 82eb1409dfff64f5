"""Repeat-factor sampling draws photos of rare classes more often.

Gupta et al., "LVIS" (arXiv 1908.03195).
"""

import numpy as np

from bentoml_img.arrays import BoolArray, Float64Array


def repeat_factors(present: BoolArray, rare: float) -> Float64Array:
    """The repeat factor of each photo: shape (N,), at least 1.

    `present` (N, classes) says which photo has which class. If a class is in a share
    r < `rare` of the photos, its factor is √(rare / r), otherwise 1. A photo has the largest
    factor of its classes.
    """
    frequency = np.maximum(present.mean(axis=0), 1 / len(present))
    repeat = np.maximum(1.0, np.sqrt(rare / frequency))
    factors: Float64Array = np.where(present, repeat, 1.0).max(axis=1)
    return factors
