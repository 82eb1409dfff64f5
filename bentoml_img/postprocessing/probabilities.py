"""From a network's logits to probabilities."""

import numpy as np

from bentoml_img.arrays import Float32Array


def softmax(logits: Float32Array) -> Float32Array:
    """Of classes that exclude each other: (N, classes) to the same shape."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Float32Array = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def sigmoid(logits: Float32Array) -> Float32Array:
    """Of what is or is not, one by one: any shape."""
    probabilities: Float32Array = 1 / (1 + np.exp(-logits.clip(-80, 80)))
    return probabilities
