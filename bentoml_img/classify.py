"""Photos to class labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from bentoml_img.arrays import Float32Array
from bentoml_img.bundle import Manifest
from bentoml_img.engines import load_engine
from bentoml_img.engines.interface import Engine
from bentoml_img.images import Normalizer
from bentoml_img.postprocessing.probabilities import softmax
from bentoml_img.predictor import Predictor


@dataclass(frozen=True)
class Classification:
    """One photo's answer: the best label, its score, and every class's, best first.

    Scores are probabilities between 0 and 1 that add up to 1.
    """

    label: str
    score: float
    scores: dict[str, float]


class Classifier(Predictor[Engine, Classification]):
    """Labels for photos of any size, from a model bundle."""

    task = "classification"
    _load = staticmethod(load_engine)

    def __init__(self, manifest: Manifest, engine: Engine, precision: str = "fp32") -> None:
        super().__init__(manifest, engine, precision)
        self._normalize = Normalizer(manifest.mean, manifest.std)

    @property
    def decode_at_least(self) -> int:
        """The side in pixels that `load_rgb` should keep: that of what the network sees.

        To keep more changes the label of none of `benchmarks.framing`'s 416 photos.
        """
        return max(self.manifest.input_size)

    def __call__(self, images: Sequence[Image.Image]) -> list[Classification]:
        """Classify RGB photos, as one batch."""
        return self.classify([self.preprocess(image) for image in images])

    def preprocess(self, image: Image.Image) -> Float32Array:
        """What the network sees of an RGB photo: the whole of it, shape (3, H, W), normalised."""
        height, width = self.manifest.input_size
        return self._normalize(
            image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
        )

    def classify(self, inputs: Sequence[Float32Array]) -> list[Classification]:
        """Classify preprocessed photos, as one batch."""
        logits = self.engine(np.stack(inputs))
        return [self._answer(row) for row in softmax(logits / self.manifest.temperature)]

    def _answer(self, probabilities: Float32Array) -> Classification:
        best_first = np.argsort(-probabilities, kind="stable")
        scores = {self.manifest.labels[i]: round(float(probabilities[i]), 6) for i in best_first}
        label, score = next(iter(scores.items()))
        return Classification(label, score, scores)
