"""Turn a call into an HTTP request, send it, and read what the service says."""

import asyncio
import json
import mimetypes
import re
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any

import httpx

from bentoml_run.asgi import Answer, Application, OnChunk
from bentoml_run.errors import Failure
from bentoml_run.inputs import Call
from bentoml_run.schema import Api

HOST = "http://localhost"
ACTIVE = ("pending", "in_progress")  # states of a task that has not ended
POLL = 0.2  # seconds between questions for it


async def send(
    app: Application, api: Api, call: Call, on_chunk: OnChunk
) -> tuple[Answer, str | None]:
    """The answer of an API, of a task its result; and the id of the task where the API is one.

    Failure if the call cannot be made, or its answer breaks off; OSError if an input file cannot
    be read.
    """
    with ExitStack() as files:
        if not api.is_task:
            return await app.send(_encode(api, call, api.route, files), on_chunk), None
        submitted = await app.send(_encode(api, call, f"{api.route}/submit", files))
    if not submitted.ok:
        return submitted, None
    task_id = _task_id(submitted)

    async def ask(what: str) -> Answer:
        params = {"task_id": task_id}
        return await app.send(httpx.Request("GET", f"{HOST}{api.route}/{what}", params=params))

    # BentoML's tasks run in the background of their request, and have ended when it has.
    if submitted.status == HTTPStatus.ACCEPTED:
        while json.loads((await ask("status")).body).get("status") in ACTIVE:
            await asyncio.sleep(POLL)
    return await ask("get"), task_id


def _task_id(submitted: Answer) -> str:
    try:
        return str(json.loads(submitted.body)["task_id"])
    except (ValueError, LookupError, TypeError) as error:
        raise Failure(f"no task was begun: {submitted.body[:100]!r}") from error


def _encode(api: Api, call: Call, route: str, files: ExitStack) -> httpx.Request:
    def post(**content: Any) -> httpx.Request:
        headers = {"accept": "*/*", **content.pop("headers", {})}
        return httpx.Request(
            "POST", f"{HOST}{route}", params=call.query or None, headers=headers, **content
        )

    if api.raw is not None:
        body = call.document.path.read_bytes() if call.document else call.body
        return post(content=body, headers={"content-type": _raw_type(api, call)})
    if not call.uploads:
        return post(
            content=json.dumps(_merged(call), ensure_ascii=False).encode(),
            headers={"content-type": "application/json"},
        )
    # BentoML reads each form field as JSON where it can: only JSON gives "7" as a string.
    data = {name: json.dumps(value, ensure_ascii=False) for name, value in call.fields.items()}
    parts = [
        (name, (_sendable(path.name), files.enter_context(path.open("rb")), _type(path.name)))
        for name, path in ((name, file.path) for name, file in call.uploads)
    ]
    return post(data=data, files=parts)


def _sendable(name: str) -> str:
    """A file's name with "?" for what is no UTF-8, which no header can hold."""
    return name.encode(errors="replace").decode()


def _merged(call: Call) -> dict[str, Any]:
    """The fields of a request without files; `--input` and `--param` win over the document."""
    if call.document is None:
        return dict(call.fields)
    try:
        document = json.loads(call.document.path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise Failure(f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise Failure("not a JSON object")
    return {**document, **call.fields}


def _raw_type(api: Api, call: Call) -> str:
    if api.raw_is_json:
        return "application/json"
    return _type(call.document.path.name) if call.document else "text/plain"


def _type(name: str) -> str:
    return mimetypes.guess_type(name, strict=False)[0] or "application/octet-stream"


def error_message(answer: Answer) -> str:
    """The words of an error answer in one line: BentoML's JSON shapes, or the body itself.

    The field that an error is about follows in brackets, unless the words begin with it.
    """
    text = answer.body.decode(errors="replace").strip()
    try:
        content = json.loads(text)
    except ValueError:
        first = next(iter(text.splitlines()), "")
        return first or httpx.codes.get_reason_phrase(answer.status) or "unknown status"
    if isinstance(content, list) and content:
        content = content[0]
    if not isinstance(content, dict) or "error" not in content:
        return text.replace("\n", " ")
    words, field = str(content["error"]), str(content.get("field") or "")
    if field and not re.match(rf"{re.escape(field)}\b", words):
        words += f" ({field})"
    return words + _details(content.get("detail"))


def _details(details: Any) -> str:
    """What pydantic found wrong, as BentoML sends it."""
    if not isinstance(details, list):
        return ""
    lines = [
        ": ".join(filter(None, [".".join(map(str, detail.get("loc", ()))), str(detail["msg"])]))
        for detail in details
        if isinstance(detail, dict) and "msg" in detail
    ]
    return f": {'; '.join(lines)}" if lines else ""
