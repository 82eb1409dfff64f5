"""Linear interpolation along an axis, as PyTorch has it with unaligned corners."""

import numpy as np

from bentoml_img.arrays import Float32Array, IntpArray


def neighbours(n: int, size: int) -> tuple[IntpArray, IntpArray, Float32Array]:
    """For each of `size` pixels the two of `n` cells around it, and the weight of the second.

    In single precision, as PyTorch computes it.
    """
    half = np.float32(0.5)
    position = np.float32(n) / np.float32(size) * (np.arange(size, dtype=np.float32) + half) - half
    position = position.clip(0)
    before = np.minimum(position.astype(np.intp), n - 1)
    after = np.minimum(before + 1, n - 1)
    weight: Float32Array = (position - before.astype(np.float32)).clip(0, 1)
    return before, after, weight
