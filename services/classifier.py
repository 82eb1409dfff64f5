"""PytorchImageClassifier: what a photo shows, as a label or with every class's score."""

from typing import Annotated

import bentoml
from PIL import Image
from pydantic import WithJsonSchema

from bentoml_img.arrays import Float32Array
from bentoml_img.classify import Classification, Classifier
from bentoml_img.images import load_rgb
from services.batching import MicroBatcher
from services.decoding import Decoder
from services.edge import guard
from services.serving import BentoArguments, load, options
from services.settings import Settings


class Arguments(BentoArguments):
    bundle: str = "cifar_lite:latest"
    requirements: str = "services/requirements/classifier-openvino.txt"


# BentoML's client takes an answer whose schema says "string" for plain text; this one is JSON.
Label = Annotated[str, WithJsonSchema({"title": "Label", "examples": ["dog"]})]

arguments = bentoml.use_arguments(Arguments)
settings = Settings.from_environment()


@bentoml.service(
    name="PytorchImageClassifier",
    **options(settings, arguments.requirements, timeout=30),
)
class PytorchImageClassifier:
    """Says which of CIFAR-10's ten classes a photo shows."""

    bundle = bentoml.models.BentoModel(arguments.bundle)

    def __init__(self) -> None:
        self.classifier = load(Classifier, self.bundle, arguments, settings)
        self.decoder = Decoder(settings.threads, settings.max_waiting)
        self.batcher = MicroBatcher(
            self.classifier.classify, max_batch_size=32, max_waiting=settings.max_waiting
        )

    @bentoml.api
    async def predict(self, image: Image.Image) -> Label:
        """The label of the class that the photo shows."""
        return (await self._classify(image)).label

    @bentoml.api
    async def classify(self, image: Image.Image) -> Classification:
        """The label, its score, and the score of every class, best first."""
        return await self._classify(image)

    async def _classify(self, image: Image.Image) -> Classification:
        return await self.batcher(await self.decoder(self._prepare, image))

    def _prepare(self, image: Image.Image) -> Float32Array:
        photo = load_rgb(image, self.classifier.decode_at_least)
        return self.classifier.preprocess(photo)


guard(PytorchImageClassifier)
