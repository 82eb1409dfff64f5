"""Error answers in the shapes that services give, and answers in none."""

import asyncio
from typing import cast

import pytest

from bentoml_run.asgi import Answer, Application
from bentoml_run.errors import Failure
from bentoml_run.inputs import Call
from bentoml_run.request import error_message, send
from bentoml_run.schema import Api


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"error": "too large", "field": "image"}', "too large (image)"),
        ('{"error": "top_k: too large", "field": "top_k"}', "top_k: too large"),
        ('{"error": "line.0: too short", "field": "line"}', "line.0: too short"),
        ('{"error": "images differ", "field": "image"}', "images differ (image)"),
        ('[{"error": "not welcome"}]', "not welcome"),
        (
            '{"error": "1 validation error for Input",'
            ' "detail": [{"loc": ["a", 0], "msg": "too small"}, {"loc": [], "msg": "b"}]}',
            "1 validation error for Input: a.0: too small; b",
        ),
        ('{"error": "wrong", "detail": ["x", {"loc": ["a"]}]}', "wrong"),
        ('{"error": "wrong", "detail": "x"}', "wrong"),
        ('{"other": 1}', '{"other": 1}'),
        ("Internal Server Error\nmore", "Internal Server Error"),
        ("", "Bad Request"),
    ],
)
def test_error_message(body: str, message: str) -> None:
    assert error_message(Answer(400, (), body.encode())) == message


def test_a_status_that_nobody_knows_is_told_as_one() -> None:
    assert error_message(Answer(499, (), b"")) == "unknown status"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b"7"])
def test_a_task_that_was_not_begun(body: bytes) -> None:
    class Service:
        async def send(self, *_: object) -> Answer:
            return Answer(202, (), body)

    api = Api("annotate", "/annotate", {}, None, {}, is_task=True)
    with pytest.raises(Failure, match="no task was begun"):
        asyncio.run(send(cast(Application, Service()), api, Call({}), lambda *_: None))
