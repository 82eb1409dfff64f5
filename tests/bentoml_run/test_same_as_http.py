"""`bentoml run` gives the bytes that a real server gives, for every API of a Bento."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.bentoml_run.conftest import Command


class Case(NamedTuple):
    """The arguments of one run, the same request for a client, and the file that it gives.

    In a request, `upload` names the files of form fields and `body` that of a raw body.
    """

    api: str
    arguments: list[str]
    request: dict[str, Any]
    result: str | None = None


CASES = [
    Case("add", ["--param", "a=3"], {"json": {"a": 3}}),
    Case("add", ["--input", '{"a": 3, "b": 0.25}'], {"json": {"a": 3, "b": 0.25}}),
    Case("greet", ["--param", "name=7"], {"json": {"name": "7"}}),
    Case(
        "upper",
        ["--input-file", "a.txt", "--param", "times=2"],
        {"data": {"times": "2"}, "upload": [("text", "a.txt")]},
        "a_CAPS.md",
    ),
    Case("picture", ["--input-file", "a.txt"], {"upload": [("text", "a.txt")]}, "a.pgm"),
    Case(
        "replace",
        ["--input-file", "a.txt", "--param", "words=@b.txt", "--param", "sign=7"],
        {"data": {"sign": '"7"'}, "upload": [("text", "a.txt"), ("words", "b.txt")]},
    ),
    Case("reverse", ["--input-file", "a.txt"], {"body": "a.txt"}),
    Case("reverse", ["--input", "a b"], {"content": b"a b"}),
    Case(
        "shout",
        ["--input-file", "a.txt", "--param", "level=9 & up"],
        {"body": "a.txt", "params": {"level": "9 & up"}},
    ),
    Case("total", ["--input", "[1, 2.5]"], {"json": [1, 2.5]}),
    Case("order", ["--param", "item=tea"], {"json": {"item": "tea"}}),
    Case(
        "sizes",
        ["--input-file", "a.txt", "b.txt", "bad.txt"],
        {"upload": [("files", "a.txt"), ("files", "b.txt"), ("files", "bad.txt")]},
    ),
    Case(
        "batched_sizes",
        ["--input-file", "a.txt", "b.txt", "bad.txt"],
        {"upload": [("files", "a.txt"), ("files", "b.txt"), ("files", "bad.txt")]},
    ),
    Case("count_up", ["--param", "to=4"], {"json": {"to": 4}}),
    Case("fail", ["--input-file", "a.txt"], {"upload": [("text", "a.txt")]}),
    Case("count_words", ["--input-file", "a.txt"], {"upload": [("text", "a.txt")]}),
]

ERRORS = [
    Case("add", ["--param", "a=101"], {"json": {"a": 101}}),
    Case("add", ["--param", "a=x"], {"json": {"a": "x"}}),
    Case("fail", ["--input-file", "bad.txt"], {"upload": [("text", "bad.txt")]}),
    Case("empty", ["--param", "code=503"], {"json": {"code": 503}}),
    Case("refuse", ["--param", "name=Tom"], {"json": {"name": "Tom"}}),
    Case("total", ["--input", '["x"]'], {"json": ["x"]}),
    Case("count_words", ["--input-file", "/dev/null"], {"files": [("text", ("null", b""))]}),
]


def post(server: httpx.Client, case: Case, folder: Path) -> httpx.Response:
    """Send the request of a case; of a task, wait for its result."""
    request = dict(case.request)
    if "upload" in request:
        request["files"] = [
            (field, (name, (folder / name).read_bytes(), "text/plain"))
            for field, name in request.pop("upload")
        ]
    if "body" in request:
        request["content"] = (folder / request.pop("body")).read_bytes()
    if case.api != "count_words":
        return server.post(f"/{case.api}", **request)
    task = {"task_id": server.post("/count_words/submit", **request).json()["task_id"]}
    while server.get("/count_words/status", params=task).json()["status"] == "in_progress":
        pass
    return server.get("/count_words/get", params=task)


def name_of(case: Case) -> str:
    return " ".join((case.api, *case.arguments))


def test_every_api_is_compared(server: httpx.Client) -> None:
    known = {route["name"] for route in server.get("/schema.json").json()["routes"]}
    assert known == {case.api for case in CASES + ERRORS} | {"pause"}


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_answer(case: Case, bentoml: Command, server: httpx.Client, texts: Path) -> None:
    response = post(server, case, texts)
    result = bentoml("run", "TextTools", case.api, *case.arguments, cwd=texts)

    assert response.status_code == 200
    assert result.status == 0, result.stderr
    if case.result is None:
        end = b"" if response.content.endswith(b"\n") else b"\n"
        assert result.stdout == response.content + end
    else:
        assert result.stdout == f"{case.result}\n".encode()
        assert (texts / case.result).read_bytes() == response.content


@pytest.mark.parametrize("case", ERRORS, ids=name_of)
def test_error(case: Case, bentoml: Command, server: httpx.Client, texts: Path) -> None:
    response = post(server, case, texts)
    arguments = [*case.arguments, "--format", "json"]
    result = bentoml("run", "TextTools", case.api, *arguments, cwd=texts)

    assert response.status_code >= 400
    assert result.status == 1
    answer = json.loads(result.stdout)["result"]
    assert answer["http_status"] == response.status_code
    assert answer["data"].encode() == response.content
    lines = [line for line in result.stderr.splitlines() if line not in ("imported", "adding")]
    assert len(lines) == 1
    assert re.match(rf"Error: \S+: {response.status_code} \S", lines[0])
