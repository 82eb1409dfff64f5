"""What an API takes and gives, read from the schema that its service publishes.

BentoML writes the schema of a service (what a server answers at `/schema.json`) into the Bento
at build time, so that a wrong name is found without importing the service.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bentoml_run.errors import WrongUsage, did_you_mean

JsonSchema = Mapping[str, Any]


@dataclass(frozen=True)
class Field:
    """One parameter of an API."""

    name: str
    schema: JsonSchema
    required: bool

    @property
    def takes_many_files(self) -> bool:
        return self.schema.get("type") == "array" and _is_file(self.schema.get("items", {}))

    @property
    def takes_files(self) -> bool:
        return _is_file(self.schema) or self.takes_many_files

    def parse(self, text: str) -> Any:
        """The value that a text on the command line stands for.

        A string field takes the text as it is, one that may be null all but `null`. Other
        fields take JSON; what is no JSON is passed on as text, and the service says what is
        wrong with it.
        """
        kinds = [kind.get("type") for kind in self.schema.get("anyOf", [self.schema])]
        if "string" in kinds and not set(kinds) - {"string", "null"}:
            may_be_null = "null" in kinds or self.schema.get("default", "") is None
            return None if may_be_null and text == "null" else text
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text

    def describe(self) -> str:
        """Type, range, default and description in one line."""
        parts = [", ".join([type_name(self.schema), *limits(self.schema)])]
        if self.required:
            parts.append("required")
        elif "default" in self.schema:
            parts.append(f"default {json.dumps(self.schema['default'], ensure_ascii=False)}")
        else:
            parts.append("optional")
        line = "; ".join(parts)
        return f"{line}. {self.schema['description']}" if self.schema.get("description") else line


@dataclass(frozen=True)
class Api:
    """One API of a service.

    `raw` is the schema of the request's body where the whole body is one value (a root input,
    such as `def f(self, photo: Image, /)`) and not an object with fields.
    """

    name: str
    route: str
    fields: Mapping[str, Field]
    raw: JsonSchema | None
    output: JsonSchema
    is_task: bool

    @classmethod
    def from_route(cls, route: Mapping[str, Any]) -> "Api":
        """Read one entry of a service schema's `routes`."""
        schema = route["input"]
        required = schema.get("required", ())
        is_raw = schema.get("root_input", False) and "properties" not in schema
        return cls(
            name=route["name"],
            route=route["route"],
            fields={
                name: Field(name, field, name in required)
                for name, field in schema.get("properties", {}).items()
            },
            raw=schema if is_raw else None,
            output=route["output"],
            is_task=route.get("is_task", False),
        )

    @property
    def file_fields(self) -> list[Field]:
        return [field for field in self.fields.values() if field.takes_files]

    @property
    def streams(self) -> bool:
        """Whether the answer comes in pieces."""
        return bool(self.output.get("is_stream", False))

    @property
    def raw_is_json(self) -> bool:
        return self.raw is not None and self.raw.get("type") not in ("string", "file")

    def field(self, name: str) -> Field:
        """The field of a name.

        WrongUsage if there is none; the message names the nearest.
        """
        try:
            return self.fields[name]
        except KeyError:
            known = ", ".join(self.fields) or "none"
            raise WrongUsage(
                f"{self.name} has no parameter {name!r}."
                f"{did_you_mean(name, self.fields) or f' It has: {known}.'}"
            ) from None


def apis(service_schema: Mapping[str, Any]) -> dict[str, Api]:
    """The APIs of a service by name."""
    return {route["name"]: Api.from_route(route) for route in service_schema.get("routes", ())}


def type_name(schema: JsonSchema) -> str:
    """A schema's type as a reader of the help would call it."""
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    kind = schema.get("type")
    if kind == "array":
        return f"list of {type_name(schema.get('items', {}))}"
    if _is_file(schema):
        form = schema.get("content_type") or schema.get("format")
        return "file" if form in (None, "binary") else f"file ({form})"
    if kind == "object" and schema.get("properties"):
        return f"object ({', '.join(schema['properties'])})"
    if kind == "string" and schema.get("format"):
        return f"string ({schema['format']})"
    return kind if isinstance(kind, str) else "any JSON value"


def limits(schema: JsonSchema) -> Iterable[str]:
    """The constraints of a schema, in words."""
    ranges = {
        ("minimum", "maximum"): "{}",
        ("minLength", "maxLength"): "{} characters",
        ("minItems", "maxItems"): "{} items",
    }
    for (least, most), text in ranges.items():
        if least in schema and most in schema:
            low, high = schema[least], schema[most]
            yield text.format(low if low == high else f"{low} to {high}")
            schema = {key: value for key, value in schema.items() if key not in (least, most)}
    words = {
        "minimum": "at least {}",
        "exclusiveMinimum": "more than {}",
        "maximum": "at most {}",
        "exclusiveMaximum": "less than {}",
        "multipleOf": "a multiple of {}",
        "minLength": "{} characters or more",
        "maxLength": "{} characters or fewer",
        "pattern": "matching {}",
        "minItems": "{} items or more",
        "maxItems": "{} items or fewer",
    }
    yield from (text.format(schema[key]) for key, text in words.items() if key in schema)


def _is_file(schema: JsonSchema) -> bool:
    return schema.get("type") == "file"
