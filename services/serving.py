"""What the services have in common: how a Bento is built and served, how its model is loaded."""

from pathlib import Path
from typing import Annotated, Any, TypeVar

import bentoml
from _bentoml_sdk import Service
from bentoml.validators import ContentType
from PIL import Image
from pydantic import BaseModel

from bentoml_img.predictor import Predictor
from services.container import locked_image
from services.headers import NoSniff
from services.memory import return_large_blocks
from services.openapi import Description, describe
from services.paths import KnownPaths, paths_of
from services.precision import precision_here
from services.settings import Settings

P = TypeVar("P", bound=Predictor[Any, Any])

Jpeg = Annotated[bytes, ContentType("image/jpeg")]


class PublicService(Service):  # type: ignore[misc]
    """A BentoML service with our own OpenAPI description; KnownPaths sees each request first.

    `to_asgi` is called once in each process that serves it.
    """

    @property
    def openapi_spec(self) -> Description:
        return describe(self)

    def to_asgi(self, is_main: bool = True) -> Any:
        return_large_blocks()
        app = super().to_asgi(is_main)
        app.add_middleware(NoSniff)
        app.add_middleware(KnownPaths, paths=paths_of(app.routes))
        return app


class BentoArguments(BaseModel):
    """Set when the Bento is built, and kept in it."""

    bundle: str
    engine: str = "auto"
    precision: str = "fp32"
    requirements: str


def load(kind: type[P], bundle: bentoml.Model, arguments: BentoArguments, settings: Settings) -> P:
    """The predictor of a bundle; it has seen a photo, so that no request waits longer than others.

    It computes in `precision_here`. BundleError if the bundle is incomplete or for another task.
    """
    precision = precision_here(arguments.precision)
    predictor = kind.from_bundle(
        Path(bundle.path), arguments.engine, precision, settings.network_threads
    )
    predictor([Image.new("RGB", (64, 64))])
    return predictor


def options(settings: Settings, requirements: str, timeout: int) -> dict[str, Any]:
    """For `bentoml.service`: `timeout` is the seconds that a request may take, its upload too."""
    return {
        "workers": settings.workers,
        "traffic": {"timeout": timeout},
        "tracing": {"excluded_urls": ".*"},
        # BentoML's log fails on a Content-Type that is not UTF-8, in the middle of the answer.
        "logging": {"access": {"request_content_type": False}},
        "image": locked_image(requirements),
        "service_class": PublicService,
    }
