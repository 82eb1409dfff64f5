import asyncio
import logging
import sys
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bentoml_run import session as sessions
from bentoml_run.asgi import Answer
from bentoml_run.bento import LastError
from bentoml_run.inputs import Call
from bentoml_run.schema import Api
from bentoml_run.session import Session


def test_an_answer_is_not_blamed_on_an_earlier_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(*_: object) -> tuple[Answer, None]:
        return Answer(503, (), b'{"error": "busy"}'), None

    monkeypatch.setattr(sessions, "send", busy)
    earlier, told = LastError(), []
    try:
        raise ZeroDivisionError("handled, in a call that went well")
    except ZeroDivisionError:
        earlier.emit(logging.LogRecord("", 40, "", 0, "", (), sys.exc_info()))
    api = Api("predict", "/predict", {}, None, {}, is_task=False)
    bento = SimpleNamespace(tag=SimpleNamespace(version="1"))
    report = SimpleNamespace(failed=lambda message, _: told.append(message), chunk=None)
    parts: tuple[Any, ...] = (bento, api, None, report, earlier, ())
    session = Session("Service", *parts)
    assert not asyncio.run(session._call(cast(Any, None), Call({})))
    assert told == ["predict: 503 busy"]
