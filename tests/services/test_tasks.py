"""The routes of tasks, before a service whose work is quick and whose videos are bytes."""

import asyncio
import errno
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import bentoml
import httpx
import pytest
from pydantic import BaseModel
from starlette.responses import PlainTextResponse
from starlette.types import Message

from services import tasks
from services.edge import Edge
from services.errors import RequestRefused
from services.jobs import LEFT_BEHIND, RECORD, Job, JobStore
from services.multipart import Form
from services.runner import Runner, Unusable
from services.settings import FORM_OVERHEAD
from services.tasks import METHODS, Tasks
from tests.services import edges
from tests.services.asgi import exchange, run

MIB = 2**20


class Copy(BaseModel):
    video: Path
    times: int = 1
    say: str = ""


# BentoML's metrics can be registered only once a process.
@bentoml.service(metrics={"enabled": False})
class Copies:
    """Its work is to repeat what it is given."""

    def __init__(self, store: JobStore) -> None:
        self.runner = Runner(store, self.work)

    @bentoml.task(input_spec=Copy)
    def copy(self, job: Job, stop: Callable[[], bool]) -> Path:
        raise NotImplementedError

    def work(self, job: Job, stop: Callable[[], bool]) -> Path:
        parameters = job.written().parameters
        if parameters["say"] == "unusable":
            raise Unusable("it ends early")
        if parameters["say"] == "crash":
            raise ZeroDivisionError
        result = job.result_folder / f"{job.source.stem}_copy.gif"
        result.write_bytes(job.source.read_bytes() * parameters["times"])
        result.with_suffix(".events.csv").write_text("frame\n")
        return result

    def check(self, video: Path, parameters: dict[str, Any]) -> None:
        if video.read_bytes() == b"bad":
            raise RequestRefused(HTTPStatus.BAD_REQUEST, f"{video.name} is bad", "video")


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path / "jobs", max_waiting=2, keep=3600, model="a:1")


@pytest.fixture
def service(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A service whose runner is not open: jobs wait until `work_off` is called."""
    instance = Copies.inner(store)  # type: ignore[attr-defined]
    monkeypatch.setattr(bentoml, "get_current_service", lambda: instance)
    return instance


@pytest.fixture
def work_off(service: Any) -> Callable[[], None]:
    """Do the job whose turn it is."""

    def work() -> None:
        job = service.runner.store.take()
        assert job is not None
        service.runner._run(job)
        job.release()

    return work


def new_edge() -> Edge:
    return Edge(PlainTextResponse("behind"), Copies, [Tasks])


def send(method: str, path: str, **request: Any) -> httpx.Response:
    return edges.send(method, path, new_edge(), **request)


def submit(**request: Any) -> httpx.Response:
    if not request:
        request = {"files": {"video": ("a b.gif", b"GIF8")}}
    return send("POST", "/copy/submit", **request)


def ask(what: str, task_id: str, **more: str) -> httpx.Response:
    return send(METHODS[what], f"/copy/{what}", params={"task_id": task_id, **more})


@pytest.fixture
def task_id(service: Any) -> str:
    given: str = submit().json()["task_id"]
    return given


def folders(tmp_path: Path) -> list[str]:
    """The jobs that there are."""
    return [path.name for path in (tmp_path / "jobs").glob("*/")]


def test_submit_status_get(service: Any, work_off: Callable[[], None]) -> None:
    answer = submit(files={"video": ("a b.gif", b"GIF8")}, data={"times": "3"})
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    task_id = answer.json()["task_id"]
    assert ask("status", task_id).json() == answer.json()
    assert ask("get", task_id).status_code == 409
    work_off()
    status = ask("status", task_id).json()
    assert status["status"] == "completed"
    assert set(status) == {"task_id", "status", "created_at", "executed_at", "completed_at"}
    result = ask("get", task_id)
    assert (result.content, result.headers["content-type"]) == (b"GIF8" * 3, "image/gif")
    path, beyond = f"/copy/get?task_id={task_id}", {"Range": "bytes=99-"}
    refused = send("GET", path, headers=beyond)
    assert (refused.status_code, refused.headers["content-range"]) == (416, "bytes */12")
    assert 'filename="a_b_copy.gif"' in result.headers["content-disposition"]
    events = ask("get", task_id, part="events")
    assert (events.text, events.headers["content-type"]) == ("frame\n", "text/csv; charset=utf-8")


def test_a_value_may_be_json_under_a_file_name(service: Any) -> None:
    files = {"video": ("a.gif", b"GIF8"), "times": ("blob", b"3", "application/json")}
    answer = submit(files=files)
    assert answer.status_code == 202
    job = service.runner.store.get(answer.json()["task_id"])
    assert job.written().parameters["times"] == 3


def test_form_raw_body_and_query_give_the_same(service: Any, work_off: Callable[[], None]) -> None:
    requests: list[dict[str, Any]] = [
        {"files": {"video": ("v.gif", b"GIF8")}, "data": {"times": "2"}},
        {"files": {"video": ("v.gif", b"GIF8")}, "params": {"times": "2"}},
        {"content": b"GIF8", "params": {"times": "2"}},
    ]
    for request in requests:
        task_id = submit(**request).json()["task_id"]
        work_off()
        assert ask("get", task_id).content == b"GIF8GIF8"


@pytest.mark.parametrize(
    ("request_", "status", "field", "says"),
    [
        ({"content": b"bad"}, 400, "video", "upload is bad"),
        ({"files": {"video": ("../../x y.mp4", b"bad")}}, 400, "video", "x_y.mp4 is bad"),
        ({"files": {"video": (None, "http://127.0.0.1:1/a.mp4")}}, 400, "video", "not fetched"),
        ({"files": {"clip": ("a.mp4", b"x" * 99_999)}}, 400, "clip", "no file 'clip' here, only"),
        ({"files": [("video", ("a", b"x")), ("video", ("b", b"x"))]}, 400, "video", "once"),
        ({"data": {"times": "2"}, "files": {"say": (None, "x")}}, 400, "video", "is missing"),
        ({"content": b"x", "params": {"times": "x"}}, 400, "times", "valid integer"),
        ({"content": b"x", "params": {"video": "/etc/passwd"}}, 400, "video", "not fetched"),
        ({"json": {"video": "/etc/passwd"}}, 415, "video", "multipart/form-data"),
        (
            {"files": {"video": ("a", b"x"), "say": (None, b"x" * 99_999)}},
            400,
            None,
            "its parameters have more than",
        ),
        (
            {"content": b"--x", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
            400,
            None,
            "it breaks off before its end",
        ),
    ],
)
def test_what_is_refused_leaves_nothing(
    request_: dict[str, Any],
    status: int,
    field: str | None,
    says: str,
    service: Any,
    store: JobStore,
    tmp_path: Path,
) -> None:
    answer = submit(**request_)
    assert (answer.status_code, answer.json().get("field")) == (status, field)
    assert says in answer.json()["error"]
    assert folders(tmp_path) == []


def test_the_limit_is_a_setting_and_holds_on_the_way(
    service: Any, store: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENTOML_IMG_MAX_VIDEO_MIB", "1")

    def excess() -> Iterator[Message]:
        while True:
            yield {"type": "http.request", "body": bytes(FORM_OVERHEAD), "more_body": True}

    async def main() -> None:
        more, most = str(2 * MIB), str(2**60)  # and more than there is on the disk
        for messages, headers in (
            (excess(), {"content_length": more}),
            (excess(), {"content_length": most}),
            (excess(), {}),
        ):
            start, body, _ = await exchange(new_edge(), "/copy/submit", messages, **headers)
            assert start["status"] == 413
            assert b"1 MiB (the server's BENTOML_IMG_MAX_VIDEO_MIB)" in body["body"]

    run(main())
    assert submit(content=bytes(MIB)).status_code == 202
    assert len(folders(tmp_path)) == 1


@pytest.mark.parametrize("more", [True, False], ids=["while it sends", "before the answer"])
def test_a_client_that_goes_away_leaves_nothing(
    more: bool, service: Any, store: JobStore, tmp_path: Path
) -> None:
    def messages() -> Iterator[Message]:
        yield {"type": "http.request", "body": b"GIF", "more_body": more}
        assert len(folders(tmp_path)) == 1
        yield {"type": "http.disconnect"}

    async def main() -> None:
        sent = await exchange(new_edge(), "/copy/submit", messages())
        assert sent[0]["status"] == 400

    run(main())
    assert folders(tmp_path) == []


@pytest.mark.parametrize(("of", "name"), [(Form, "write"), (JobStore, "submit"), (JobStore, "new")])
def test_a_disk_that_fills_on_the_way_is_told(
    of: type, name: str, service: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jobs").mkdir()

    def write(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(of, name, write)
    answer = submit()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert answer.json()["error"] == "the server's disk is full"
    assert folders(tmp_path) == []


def test_a_job_that_comes_too_late_for_its_request_is_not_kept(
    store: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, asked, go = store.new, threading.Event(), threading.Event()

    def slow(size: int) -> Job:
        asked.set()
        go.wait()
        return new(size)

    async def main() -> None:
        request = asyncio.create_task(tasks._new_job(store, 1))
        await asyncio.to_thread(asked.wait)
        request.cancel()
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await request

    monkeypatch.setattr(store, "new", slow)
    asyncio.run(main())
    assert folders(tmp_path) == []


def test_too_many_are_told_when_to_come_again(service: Any) -> None:
    assert [submit().status_code for _ in range(3)] == [202, 202, 503]
    answer = submit()
    assert answer.headers["retry-after"] == "60"
    assert "2 videos are waiting already" in answer.json()["error"]


def test_cancel_and_retry(task_id: str, work_off: Callable[[], None]) -> None:
    assert ask("cancel", task_id).json()["status"] == "canceled"
    answer = ask("get", task_id)
    assert (answer.status_code, "was cancelled" in answer.json()["error"]) == (409, True)
    answer = ask("retry", task_id)
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    work_off()
    assert ask("get", task_id).content == b"GIF8"
    assert ask("cancel", task_id).status_code == ask("retry", task_id).status_code == 409


def test_a_failure_is_the_callers_or_ours(service: Any, work_off: Callable[[], None]) -> None:
    statuses = {}
    for say in ("unusable", "crash"):
        task_id = submit(content=b"x", params={"say": say}).json()["task_id"]
        work_off()
        assert ask("status", task_id).json()["status"] == "failed"
        answer = ask("get", task_id)
        assert answer.json()["error"] == ask("status", task_id).json()["error"]
        statuses[say] = (answer.status_code, answer.json().get("field"))
    assert statuses == {"unusable": (400, "video"), "crash": (500, None)}


def test_a_worker_that_is_gone_is_told_of(task_id: str, store: JobStore) -> None:
    job = store.take()
    assert job is not None
    job.report({"frames": 3, "of": 9})
    assert ask("status", task_id).json()["status"] == "in_progress"
    job.release()
    status = ask("status", task_id).json()
    assert (status["status"], status["error"]) == ("failed", LEFT_BEHIND)
    assert status["progress"] == {"frames": 3, "of": 9}
    assert ask("get", task_id).status_code == 500
    assert ask("retry", task_id).json()["status"] == "pending"


def test_what_waits_for_another_model_says_so(service: Any, tmp_path: Path) -> None:
    task_id = submit().json()["task_id"]
    service.runner.store = JobStore(tmp_path / "jobs", 2, 3600, "b:1 in fp32")
    assert "error" not in submit().json()
    status = ask("status", task_id).json()
    assert (status["status"], "it waits for a server of a:1: retry" in status["error"]) == (
        "pending",
        True,
    )
    assert "error" not in ask("retry", task_id).json()


def test_a_record_that_is_damaged_is_no_fault_of_the_callers(task_id: str, store: JobStore) -> None:
    (store.get(task_id).folder / RECORD).write_text("{")
    answer = ask("get", task_id)
    assert (answer.status_code, answer.json()["error"]) == (500, "its record is damaged")
    assert ask("retry", task_id).status_code == 409


@pytest.mark.parametrize("what", ["status", "get", "cancel", "retry"])
def test_a_task_that_is_none(what: str, task_id: str) -> None:
    there = task_id
    for task_id in ("0" * 32, "../..", f"../jobs/{there}", "x"):
        answer = ask(what, task_id)
        assert answer.status_code == 404
        assert "there is no task" in answer.json()["error"]
    assert (ask(what, "").status_code, ask(what, "").json()["field"]) == (400, "task_id")


def test_other_methods_paths_and_parts(task_id: str, work_off: Callable[[], None]) -> None:
    for method, path, allowed in (("GET", "cancel", "PUT"), ("POST", "get", "GET, HEAD")):
        wrong = send(method, f"/copy/{path}")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, allowed)
    direct = send("POST", "/copy", content=b"GIF8")
    assert (direct.status_code, "/copy/submit" in direct.json()["error"]) == (404, True)
    assert send("GET", "/copy/other").text == "behind"
    work_off()
    part = ask("get", task_id, part="plot")
    assert (part.status_code, part.json()["field"]) == (400, "part")


@pytest.mark.parametrize("what", ["status", "get", "cancel", "retry"])
def test_what_else_is_in_the_query_is_refused(what: str, task_id: str) -> None:
    for name, says in (
        ("parts", "no field 'parts' here, only task_id"),
        ("task_id", "task_id is given more than once"),
    ):
        query = f"task_id={task_id}&{name}=summary"
        answer = send(METHODS[what], f"/copy/{what}?{query}")
        assert (answer.status_code, answer.json()["field"]) == (400, name)
        assert says in answer.json()["error"]
    assert ask("status", task_id).json()["status"] == "pending"


def test_head_is_answered_where_get_is(task_id: str, work_off: Callable[[], None]) -> None:
    work_off()
    assert send("HEAD", f"/copy/status?task_id={task_id}").status_code == 200
    head = send("HEAD", f"/copy/get?task_id={task_id}")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "4", b"")


@pytest.mark.parametrize(
    ("header", "status", "content"),
    [
        ("bytes=1-2", 206, b"IF"),
        ("Bytes= 0-0 , 0-1", 206, b"GI"),
        ("bytes=-2", 206, b"F8"),
        ("bytes=4-", 416, None),
        ("bytes=", 200, b"GIF8"),
        ("bytes=2-1", 200, b"GIF8"),
        ("bytes=0-0,x", 200, b"GIF8"),
        ("bytes=" + "9" * 9_999 + "-", 200, b"GIF8"),
        ("items=0-1", 200, b"GIF8"),
        ("abc", 200, b"GIF8"),
    ],
    ids=lambda it: str(it)[:16],
)
def test_what_is_no_range_of_bytes_is_ignored(
    header: str, status: int, content: bytes | None, task_id: str, work_off: Callable[[], None]
) -> None:
    work_off()
    answer = send("GET", f"/copy/get?task_id={task_id}", headers={"Range": header})
    assert answer.status_code == status
    assert content in (None, answer.content)


def test_a_key_is_asked_for(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENTOML_IMG_API_KEY", "open sesame")
    assert submit().status_code == 401
    assert ask("status", "0" * 32).status_code == 401


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a.mp4", "a.mp4"),
        ("../../etc/a b%d.gif", "_.._etc_a_b_d.gif"),
        ("é.gif", "é.gif"),
        ("文" * 200 + ".gif", "文" * 36 + ".gif"),
        ("\0", "_"),
        ("..", "video"),
        ("", "video"),
    ],
)
def test_names_are_safe(name: str, safe: str) -> None:
    assert tasks._safe(name) == safe
