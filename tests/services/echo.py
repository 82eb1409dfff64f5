"""A small service for the edge, with what a classifier lacks: parameters, failures, waiting."""

import asyncio
from typing import Annotated, Any

import bentoml
from annotated_types import Ge
from bentoml.validators import ContentType
from PIL import Image

from bentoml_img.images import load_rgb
from services.edge import guard


# BentoML's metrics can be registered only once a process.
@bentoml.service(metrics={"enabled": False}, traffic={"timeout": 2})
class Echo:
    def __init__(self) -> None:
        self.waits = False
        self.go = asyncio.Event()
        self.cancelled = asyncio.Event()

    @bentoml.api
    async def describe(
        self, image: Image.Image, top_k: Annotated[int, Ge(1)] = 3, note: str = ""
    ) -> dict[str, Any]:
        return {"format": image.format, "size": image.size, "top_k": top_k, "note": note}

    @bentoml.api
    async def png(self, image: Image.Image) -> Annotated[bytes, ContentType("image/png")]:
        load_rgb(image)
        return b"a picture"

    @bentoml.api
    async def crash(self, image: Image.Image) -> str:
        raise ZeroDivisionError("secret")

    @bentoml.api
    async def wait(self, image: Image.Image) -> str:
        self.waits = True
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return "done"

    @bentoml.api
    async def say(self, text: str) -> str:
        return text


guard(Echo)
