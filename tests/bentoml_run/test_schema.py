"""Fields and their descriptions, from schemas as BentoML 1.4 writes them."""

from typing import Any

import pytest

from bentoml_run.schema import Api, Field, apis


def field(required: bool = False, **schema: Any) -> Field:
    return Field("x", schema, required)


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "string"}, "7", "7"),
        ({"type": "string"}, "null", "null"),
        ({"type": "string", "default": None}, "null", None),
        ({"type": "string", "default": None}, "7", "7"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "7", "7"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "null", None),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "7", 7),
        ({"type": "integer"}, "7", 7),
        ({"type": "boolean"}, "true", True),
        ({"type": "array"}, "[1, 2]", [1, 2]),
        ({}, '{"a": 1}', {"a": 1}),
        ({"type": "array"}, "[" * 100_000, "[" * 100_000),
        ({"type": "integer"}, "seven", "seven"),  # the service refuses it, in its own words
    ],
)
def test_parse(schema: dict[str, Any], text: str, value: Any) -> None:
    assert field(**schema).parse(text) == value


NINE = {"minItems": 9, "maxItems": 9}


@pytest.mark.parametrize(
    ("schema", "line"),
    [
        ({"type": "integer", "minimum": 0, "maximum": 9}, "integer, 0 to 9; optional"),
        ({"type": "number", "exclusiveMinimum": 0}, "number, more than 0; optional"),
        ({"type": "string", "enum": ["a", "b"], "default": "a"}, 'one of a, b; default "a"'),
        ({"type": "array", "items": {"type": "file"}}, "list of file; optional"),
        ({"type": "file", "format": "image"}, "file (image); optional"),
        ({"type": "file", "content_type": "audio/mpeg"}, "file (audio/mpeg); optional"),
        ({"type": "object", "properties": {"a": {}, "b": {}}}, "object (a, b); optional"),
        ({"type": "array", **NINE}, "list of any JSON value, 9 items; optional"),
        ({"type": "string", "minLength": 2, "maxLength": 5}, "string, 2 to 5 characters; optional"),
        ({"type": "string", "maxLength": 5}, "string, 5 characters or fewer; optional"),
        ({"description": "What it is."}, "any JSON value; optional. What it is."),
    ],
)  # fmt: skip
def test_describe(schema: dict[str, Any], line: str) -> None:
    assert field(**schema).describe() == line


def test_describe_required() -> None:
    assert field(required=True, type="file").describe() == "file; required"


def test_takes_files() -> None:
    assert field(type="file").takes_files
    assert not field(type="file").takes_many_files
    assert field(type="array", items={"type": "file"}).takes_many_files
    assert not field(type="array", items={"type": "string"}).takes_files


def test_root_input_with_fields_is_no_raw_body() -> None:
    model = {"type": "object", "properties": {"a": {}}, "root_input": True}
    api = Api.from_route({"name": "f", "route": "/f", "input": model, "output": {}})
    assert api.raw is None
    assert list(api.fields) == ["a"]


def test_no_apis() -> None:
    assert apis({}) == {}
