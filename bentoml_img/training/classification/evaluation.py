"""How good a classifier's probabilities are: accuracy, confusion, calibration."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from bentoml_img.arrays import Float32Array, Int64Array, UInt8Array
from bentoml_img.classify import Classifier
from bentoml_img.postprocessing.probabilities import softmax
from bentoml_img.training.classification import cifar10
from bentoml_img.training.classification.calibration import Reliability, cross_fit
from bentoml_img.training.classification.cifar10 import Split
from bentoml_img.training.figures import Figure, OnPhoto, unwatched


def evaluate(classifier: Classifier, data: Path, on_photo: OnPhoto = unwatched) -> Iterator[Figure]:
    """The figures of a classifier on the test images of CIFAR-10 in DATA; DatasetError."""
    _, test = cifar10.load(data)
    yield from figures(classifier, test, on_photo)


def figures(classifier: Classifier, test: Split, on_photo: OnPhoto = unwatched) -> Iterator[Figure]:
    """The figures of a classifier on test images.

    Accuracy overall and for each class; the expected calibration error before and after
    temperature scaling.
    """
    logits = predict_logits(classifier, test.images, on_photo)
    labels = classifier.manifest.labels
    yield from Evaluation.of(logits, test.labels, labels).figures(classifier.manifest.name)


@dataclass(frozen=True)
class Evaluation:
    """A classifier's figures on a labelled split.

    `confusion` has a row for each true class and a column for each predicted
    one. `raw` is the reliability of plain softmax; `calibrated` that of
    cross-fitted temperatures (see `cross_fit`), whose mean is `temperature`.
    """

    labels: tuple[str, ...]
    confusion: Int64Array
    raw: Reliability
    calibrated: Reliability
    temperature: float

    @classmethod
    def of(cls, logits: Float32Array, truth: Int64Array, labels: tuple[str, ...]) -> "Evaluation":
        """Evaluate logits of shape (N, classes) against the true labels (N,)."""
        k = len(labels)
        confusion = np.bincount(truth * k + logits.argmax(axis=1), minlength=k * k).reshape(k, k)
        probabilities, temperature = cross_fit(logits, truth)
        return cls(
            labels,
            confusion,
            Reliability.of(softmax(logits), truth),
            Reliability.of(probabilities, truth),
            temperature,
        )

    @property
    def n(self) -> int:
        return int(self.confusion.sum())

    def figures(self, model: str) -> Iterator[Figure]:
        """The figures, as those of the model of that name."""
        for metric, value, n in self._values():
            yield Figure(model, "cifar10", metric, value, n)

    def _values(self) -> Iterator[tuple[str, float, int]]:
        right = self.confusion.diagonal()
        yield "accuracy", float(right.sum() / self.n), self.n
        for label, hits, count in zip(self.labels, right, self.confusion.sum(axis=1), strict=True):
            if count:
                yield f"accuracy_{label}", float(hits / count), int(count)
        yield "ece_uncalibrated", self.raw.expected_calibration_error, self.n
        yield "ece_calibrated", self.calibrated.expected_calibration_error, self.n


def predict_logits(
    classifier: Classifier,
    images: UInt8Array,
    on_photo: OnPhoto = unwatched,
    batch: int = 250,
) -> Float32Array:
    """Logits (N, classes) of uint8 images (N, H, W, 3), preprocessed as in serving."""
    batches = []
    for start in range(0, len(images), batch):
        photos = [Image.fromarray(image) for image in images[start : start + batch]]
        batches.append(classifier.engine(np.stack([classifier.preprocess(p) for p in photos])))
        on_photo(start + len(photos), len(images))
    return np.concatenate(batches)
