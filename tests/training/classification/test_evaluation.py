from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bentoml_img.arrays import Float32Array
from bentoml_img.bundle import Manifest
from bentoml_img.classify import Classifier
from bentoml_img.labels import CIFAR10
from bentoml_img.postprocessing.probabilities import softmax
from bentoml_img.training.classification.calibration import Reliability, cross_fit, fit_temperature
from bentoml_img.training.classification.cifar10 import Split
from bentoml_img.training.classification.evaluation import Evaluation, figures, predict_logits


def sample(temperature: float, n: int = 4000, seed: int = 0) -> tuple[Float32Array, np.ndarray]:
    """Logits, and labels drawn from their softmax at a temperature: that one calibrates them."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 3, (n, 10)).astype(np.float32)
    cumulative = softmax(logits / temperature).cumsum(axis=1)
    labels = (random.random((n, 1)) > cumulative[:, :-1]).sum(axis=1)
    return logits, labels


def test_expected_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.95, 0.05], [0.38, 0.62], [0.35, 0.65]], np.float32)
    labels = np.array([0, 1, 1, 1])
    reliability = Reliability.of(probabilities, labels, bins=5)
    assert reliability.count.tolist() == [0, 0, 0, 2, 2]
    np.testing.assert_allclose(reliability.confidence, [0, 0, 0, 0.635, 0.925], rtol=1e-6)
    np.testing.assert_allclose(reliability.accuracy, [0, 0, 0, 1, 0.5])
    expected = 0.5 * (1 - 0.635) + 0.5 * (0.925 - 0.5)
    assert reliability.expected_calibration_error == pytest.approx(expected)


def test_bins_are_closed_above() -> None:
    edges = np.array([[0.5, 0.5], [1.0, 0.0]], np.float32)
    assert Reliability.of(edges, np.array([0, 0]), bins=2).count.tolist() == [1, 1]


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_is_found(temperature: float) -> None:
    logits, labels = sample(temperature, n=20_000)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.05)


def test_the_temperature_stays_finite_when_every_answer_is_right() -> None:
    logits = np.eye(10, dtype=np.float32)
    assert 0.01 <= fit_temperature(logits, np.arange(10)) < 0.1


def test_no_image_is_scored_by_a_temperature_that_it_helped_to_fit() -> None:
    logits, labels = sample(0.5)
    probabilities, shipped = cross_fit(logits, labels)
    even, odd = (
        fit_temperature(logits[::2], labels[::2]),
        fit_temperature(logits[1::2], labels[1::2]),
    )
    np.testing.assert_array_equal(probabilities[::2], softmax(logits[::2] / odd))
    np.testing.assert_array_equal(probabilities[1::2], softmax(logits[1::2] / even))
    assert min(even, odd) < shipped < max(even, odd)


def test_calibration_helps_and_accuracy_stays() -> None:
    logits, labels = sample(0.3)
    evaluation = Evaluation.of(logits, labels, CIFAR10)
    raw = evaluation.raw.expected_calibration_error
    assert evaluation.calibrated.expected_calibration_error < 0.02 < 0.1 < raw
    scores = {figure.name: figure.value for figure in evaluation.figures("net")}
    assert scores["cifar10_accuracy"] == (logits.argmax(1) == labels).mean()


def test_confusion_has_truth_in_rows() -> None:
    logits = np.eye(3, dtype=np.float32)[[0, 1, 1, 2]]
    evaluation = Evaluation.of(logits, np.array([0, 0, 1, 1]), ("a", "b", "c"))
    assert evaluation.confusion.tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]
    scores = {figure.name: (figure.value, figure.n) for figure in evaluation.figures("net")}
    assert scores["cifar10_accuracy"] == (0.5, 4)
    assert scores["cifar10_accuracy_a"] == (0.5, 2)
    assert "cifar10_accuracy_c" not in scores, "no image of class c, no accuracy"


class Brightness:
    """An engine that is sure of a class for each of ten brightnesses."""

    def __call__(self, batch: Float32Array) -> Float32Array:
        level = np.rint(batch.mean(axis=(1, 2, 3)) * 10 - 0.5)
        logits: Float32Array = -np.abs(level[:, None] - np.arange(10)).astype(np.float32)
        return logits


def test_evaluated_as_served(tmp_path: Path) -> None:
    manifest = Manifest(
        name="brightness",
        task="classification",
        labels=CIFAR10,
        input_size=(32, 32),
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        license="",
        trained_on="",
        temperature=0.7,
    )
    classifier = Classifier(manifest, Brightness())
    labels = np.arange(60) % 10
    images = np.broadcast_to(
        (labels * 25 + 12).astype(np.uint8)[:, None, None, None], (60, 32, 32, 3)
    ).copy()
    images[:6] = 255 - images[:6]  # wrong ones

    logits = predict_logits(classifier, images, batch=7)
    served = classifier([Image.fromarray(image) for image in images])
    assert [CIFAR10[i] for i in logits.argmax(1)] == [answer.label for answer in served]
    np.testing.assert_allclose(
        softmax(logits / manifest.temperature).max(1), [a.score for a in served], atol=1e-6
    )
    scores = {figure.name: figure.value for figure in figures(classifier, Split(images, labels))}
    right = [a.label == CIFAR10[y] for a, y in zip(served, labels, strict=True)]
    assert scores["cifar10_accuracy"] == sum(right) / 60 == 0.9
