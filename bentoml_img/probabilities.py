"""From a network's logits to probabilities."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


def softmax(logits: Array) -> Array:
    """Of classes that exclude each other: (N, classes) to the same shape."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Array = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def sigmoid(logits: Array) -> Array:
    """Of what is or is not, one by one: any shape."""
    probabilities: Array = 1 / (1 + np.exp(-logits.clip(-80, 80)))
    return probabilities
