"""PytorchImageSegment: which class each pixel of a photo shows, as a mask or in figures."""

from collections.abc import Callable
from typing import Annotated, TypeVar

import bentoml
from bentoml.validators import ContentType
from PIL import Image

from bentoml_img.drawing.segmentation import colour_mask, overlay
from bentoml_img.images import encode_jpeg, encode_png, load_rgb, reopen
from bentoml_img.palettes import DEFAULT_PALETTE, PaletteName
from bentoml_img.segment import Segmentation, SegmentedClasses, Segmenter
from services.edge import guard
from services.serving import BentoArguments, Jpeg, load, options
from services.settings import Settings
from services.stages import Stages

Result = TypeVar("Result")
Png = Annotated[bytes, ContentType("image/png")]


class Arguments(BentoArguments):
    bundle: str = "deeplabv3_lite:latest"
    requirements: str = "services/requirements/segmenter-openvino.txt"


arguments = bentoml.use_arguments(Arguments)
settings = Settings.from_environment()


@bentoml.service(
    name="PytorchImageSegment",
    **options(settings, arguments.requirements, timeout=60),
)
class PytorchImageSegment:
    """Colours each pixel of a photo by the class that it shows."""

    bundle = bentoml.models.BentoModel(arguments.bundle)

    def __init__(self) -> None:
        self.segmenter = load(Segmenter, self.bundle, arguments, settings)
        self.stages = Stages(settings)

    @bentoml.api
    async def predict(self, image: Image.Image, palette: PaletteName = DEFAULT_PALETTE) -> Png:
        """The mask: a PNG of the photo's size whose pixel values are class ids, in colours."""
        return await self._answer(image, lambda it: encode_png(colour_mask(it, palette)))

    @bentoml.api
    async def overlay(self, image: Image.Image, palette: PaletteName = DEFAULT_PALETTE) -> Jpeg:
        """The mask over the photo, with a legend: a JPEG."""
        async with self.stages.place(image):
            photo = await self.stages.picture(reopen, image)
            return await self._finished(
                image, lambda it: encode_jpeg(overlay(load_rgb(photo), it, palette))
            )

    @bentoml.api
    async def segment(
        self, image: Image.Image, palette: PaletteName = DEFAULT_PALETTE
    ) -> SegmentedClasses:
        """The classes in the photo: their colours, pixels and shares of the picture."""
        return await self._answer(image, lambda it: it.summary(palette))

    async def _answer(self, image: Image.Image, finish: Callable[[Segmentation], Result]) -> Result:
        async with self.stages.place(image):
            return await self._finished(image, finish)

    async def _finished(
        self, image: Image.Image, finish: Callable[[Segmentation], Result]
    ) -> Result:
        pixels, size = await self.stages.decoded(self.segmenter.prepare, image)
        scores = await self.stages.network(self.segmenter.scores, pixels)
        return await self.stages.picture(lambda: finish(self.segmenter.segmentation(scores, size)))


guard(PytorchImageSegment)
