"""The classifier under BentoML as one commonly writes it: synchronous, a PIL image in."""

import os
from pathlib import Path

import bentoml
from PIL import Image

from benchmarks.servers import BUNDLE
from bentoml_img.classify import Classifier


@bentoml.service
class PlainClassifier:
    """The defaults of BentoML, whatever they are: one worker, one request at a time."""

    def __init__(self) -> None:
        self.classifier = Classifier.from_bundle(Path(os.environ[BUNDLE]))

    @bentoml.api  # type: ignore[untyped-decorator]
    def predict(self, image: Image.Image) -> str:
        """The label of the class that the photo shows."""
        return self.classifier([image.convert("RGB")])[0].label
