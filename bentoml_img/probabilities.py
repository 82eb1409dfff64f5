"""From a network's logits to probabilities."""

import numpy as np

from bentoml_img.arrays import Floats


def softmax(logits: Floats) -> Floats:
    """Of classes that exclude each other: (N, classes) to the same shape."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def sigmoid(logits: Floats) -> Floats:
    """Of what is or is not, one by one: any shape."""
    probabilities: Floats = 1 / (1 + np.exp(-logits.clip(-80, 80)))
    return probabilities
