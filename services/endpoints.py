"""The image APIs of a service, as the edge calls them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter
from starlette.responses import Response

from services.fields import Fields


@dataclass(frozen=True)
class Endpoint:
    """One image API: its function, its fields, and the model of its answer."""

    # Not the bound method: BentoML takes a function's signature apart each time it binds one.
    function: Callable[..., Awaitable[object]]
    fields: Fields
    answer: TypeAdapter[Any]
    media_type: str

    def render(self, answer: object) -> Response:
        content = answer if isinstance(answer, bytes) else self.answer.dump_json(answer)
        return Response(content, media_type=self.media_type)


def image_endpoints(service: Any) -> dict[str, Endpoint]:
    """The endpoints of a BentoML service that take one picture, by path."""
    endpoints = {}
    for method in service.apis.values():
        if len(method.input_spec.multipart_fields) == 1 and not method.is_task:
            endpoints[method.route] = Endpoint(
                method.func,
                Fields.of(method),
                TypeAdapter(method.func.__annotations__["return"]),
                method.output_spec.mime_type(),
            )
    return endpoints
