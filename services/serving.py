"""What the three services have in common: how a Bento is built, and how BentoML is to serve it."""

from typing import Any

from pydantic import BaseModel

from services.image import locked_image
from services.paths import PublicService
from services.settings import Settings


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
