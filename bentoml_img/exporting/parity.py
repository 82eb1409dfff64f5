"""The differences between the outputs of two networks."""

import numpy as np

from bentoml_img.arrays import Float32Array
from bentoml_img.postprocessing.probabilities import softmax


def parity(expected: Float32Array, logits: Float32Array, of: str = "export") -> dict[str, float]:
    """The share of equal labels, and the largest difference of a probability.

    Both networks' logits have shape (N, classes).
    """
    return {
        f"{of}_label_agreement": float((expected.argmax(1) == logits.argmax(1)).mean()),
        f"{of}_max_difference": float(np.abs(softmax(expected) - softmax(logits)).max()),
    }
