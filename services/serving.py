"""What the services have in common: how a Bento is built, and how BentoML is to serve it."""

from typing import Annotated, Any

from _bentoml_sdk import Service
from bentoml.validators import ContentType
from pydantic import BaseModel

from services.container import locked_image
from services.memory import return_large_blocks
from services.openapi import Description, describe
from services.paths import KnownPaths, paths_of
from services.settings import Settings

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
        app.add_middleware(KnownPaths, paths=paths_of(app.routes))
        return app


class BentoArguments(BaseModel):
    """Set when the Bento is built, and kept in it."""

    bundle: str
    engine: str = "auto"
    precision: str = "fp32"
    requirements: str


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
