"""Measures the calibration of probabilities, and improves it.

After Guo et al., "On Calibration of Modern Neural Networks" (2017): the expected
calibration error over 15 bins of equal width, and one temperature that divides
the logits.
"""

from dataclasses import dataclass

import numpy as np

from bentoml_img.arrays import Float32Array, Float64Array, Int64Array
from bentoml_img.postprocessing.probabilities import softmax

BINS = 15


@dataclass(frozen=True)
class Reliability:
    """Top-1 scores in bins of equal width from 0 to 1.

    `count` is how many images fall into each bin, `confidence` their mean score
    and `accuracy` the share of them that are right; both are 0 where a bin is empty.
    """

    count: Int64Array
    confidence: Float64Array
    accuracy: Float64Array

    @classmethod
    def of(cls, probabilities: Float32Array, labels: Int64Array, bins: int = BINS) -> "Reliability":
        """Bin probabilities of shape (N, classes) against the true labels (N,)."""
        confidence = probabilities.max(axis=1)
        correct = probabilities.argmax(axis=1) == labels
        which = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
        count = np.bincount(which, minlength=bins)
        share = np.maximum(count, 1)
        return cls(
            count,
            np.bincount(which, confidence, bins) / share,
            np.bincount(which, correct, bins) / share,
        )

    @property
    def expected_calibration_error(self) -> float:
        """The mean distance between confidence and accuracy, weighted by count."""
        gap = np.abs(self.confidence - self.accuracy)
        return float((gap * self.count).sum() / self.count.sum())


def fit_temperature(logits: Float32Array, labels: Int64Array) -> float:
    """The temperature that minimises the negative log-likelihood, between 0.01 and 100.

    In the inverse temperature β that likelihood is convex, with the slope
    E[Σ p z − z_label]: bisect on its sign.
    """
    target = logits[np.arange(len(labels)), labels].mean()
    low, high = -np.log(100), np.log(100)
    for _ in range(40):
        log_beta = (low + high) / 2
        mean = (softmax(logits * np.exp(log_beta)) * logits).sum(axis=1).mean()
        low, high = (log_beta, high) if mean < target else (low, log_beta)
    return float(np.exp(-(low + high) / 2))


def cross_fit(logits: Float32Array, labels: Int64Array) -> tuple[Float32Array, float]:
    """Calibrated probabilities (N, classes), and the temperature to ship.

    The network has seen the training images and is overconfident on them, so the temperature
    is fitted on test images. Those at even places are scored with the temperature fitted on
    those at odd places, and the other way round: no image is scored with a temperature that
    was fitted on it. The geometric mean of the two is the one to ship. Accuracy does not
    depend on the temperature.
    """
    halves = np.arange(len(labels)) % 2 == 0
    probabilities = np.empty_like(logits)
    temperatures = []
    for half in (halves, ~halves):
        temperatures.append(fit_temperature(logits[~half], labels[~half]))
        probabilities[half] = softmax(logits[half] / temperatures[-1])
    return probabilities, float(np.sqrt(temperatures[0] * temperatures[1]))
