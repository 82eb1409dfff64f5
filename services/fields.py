"""The fields of an API that takes a file: from a form or a raw body, and from the query."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self, TypeVar, get_args, get_origin
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError

from services.errors import RequestRefused, not_uploaded
from services.multipart import Part

T = TypeVar("T")

MAX_QUERY = 32 * 1024  # bytes; the server refuses 64 KiB by itself, without our words


@dataclass(frozen=True)
class Fields:
    """The name of the file's field, and the model of all fields."""

    file: str
    model: type[BaseModel]

    @classmethod
    def of(cls, method: Any) -> Self:
        """Those of a BentoML API that takes a file."""
        return cls(method.input_spec.multipart_fields[0], method.input_spec)

    @cached_property
    def lists(self) -> frozenset[str]:
        """The names of the fields that take lists."""
        fields = self.model.model_fields.items()
        return frozenset(name for name, field in fields if _is_list(field.annotation))

    def values(self, parts: Sequence[Part], query: bytes, upload: bytes | Path) -> dict[str, Any]:
        """The values as sent, the file as `upload`: what was spooled, or where it is.

        A field of a list may be sent more than once, with an item each. RequestRefused if
        a field is missing, unknown or else given twice, if the file is text, or if the
        query is too long.
        """
        texts = _pairs(query)
        texts += [(p.name, p.data.decode("utf-8", "replace")) for p in parts if not p.spooled]
        if any(name == self.file for name, _ in texts):
            raise not_uploaded(self.file)
        pairs = [(name, _parameter(text)) for name, text in texts]
        pairs += [(part.name, upload) for part in parts if part.spooled]
        sent = _by_name(pairs, self.model.model_fields, self.lists)
        values = {name: given if len(given) > 1 else given[0] for name, given in sent.items()}
        file = self.file
        if file not in values:
            raise _bad_request(f"the file {file} is missing", file)
        if not values[file]:
            raise _bad_request(f"{file} is empty", file)
        return values

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        """The arguments that the API's own input model makes of the values; else RequestRefused."""
        try:
            model = self.model.model_validate(values)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            place = ".".join(map(str, problem["loc"]))
            field = place.partition(".")[0]  # an item of a list, too, was sent in a field
            message = problem["msg"].removeprefix("Value error, ")
            raise _bad_request(f"{place}: {message}" if place else message, field) from None
        return {name: getattr(model, name) for name in self.model.model_fields}


def _is_list(kind: Any) -> bool:
    """Whether values of a type are lists, or may be, as those of `list[str] | None`."""
    return any(get_origin(one) is list for one in (kind, *get_args(kind)))


def query_values(query: bytes, known: Collection[str]) -> dict[str, str]:
    """The parameters of a query as text; RequestRefused if one is not `known`, or given twice."""
    return {name: value for name, (value,) in _by_name(_pairs(query), known).items()}


def _by_name(
    pairs: Iterable[tuple[str, T]], known: Collection[str], lists: Collection[str] = ()
) -> dict[str, list[T]]:
    """What is given of each name: one value, but of `lists`."""
    values: dict[str, list[T]] = {}
    for name, value in pairs:
        if name not in known:
            raise _bad_request(f"no field {name!r} here, only {', '.join(known)}", name)
        if name in values and name not in lists:
            raise _bad_request(f"{name} is given more than once", name)
        values.setdefault(name, []).append(value)
    return values


def _bad_request(message: str, field: str) -> RequestRefused:
    return RequestRefused(HTTPStatus.BAD_REQUEST, message, field or None)


def _pairs(query: bytes) -> list[tuple[str, str]]:
    if len(query) > MAX_QUERY:
        raise RequestRefused(
            HTTPStatus.REQUEST_URI_TOO_LONG, f"the query has more than {MAX_QUERY} bytes"
        )
    return parse_qsl(query.decode("latin-1"), True)


def _parameter(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
