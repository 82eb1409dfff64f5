"""The routes of a service's tasks: submit, status, get, cancel, retry.

BentoML has them too, with the same names, parameters and answers, so that its
client and its description of the service fit ours. But its tasks are forgotten
at every start, go on when they are cancelled, say nothing of their progress, and
are read into memory whole. Ours are jobs on disk.
"""

import asyncio
import errno
import re
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

import bentoml
from pydantic import BaseModel
from pydantic_core import to_jsonable_python
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bentoml_img.video.results import RECORDS, files_of
from services.body import ClientDisconnected, declared_size
from services.errors import RequestRefused, wrong_method
from services.fields import Fields, query_values
from services.jobs import Job, JobError, JobStore, NoSuchJob, State, StoreFull, WrongState
from services.multipart import Part
from services.runner import Runner
from services.settings import MAX_VIDEO_VARIABLE, Settings
from services.uploads import Upload

STATUS: dict[type[JobError], HTTPStatus] = {
    NoSuchJob: HTTPStatus.NOT_FOUND,
    WrongState: HTTPStatus.CONFLICT,
    StoreFull: HTTPStatus.SERVICE_UNAVAILABLE,
}
MAX_NAME = 40  # characters of a video's name that are kept: file systems count bytes
RETRY_AFTER = {"Retry-After": "60"}  # seconds

# What can be got of a result, and its media type, where that does not depend on the result. The
# page shows them in this order: the summary below the video.
PARTS = {"video": None, **{what: file.media_type for what, file in reversed(RECORDS.items())}}

# What can be done with a task, and by which method.
METHODS = {"submit": "POST", "status": "GET", "get": "GET", "cancel": "PUT", "retry": "POST"}

Handler = Callable[[Request], Awaitable[Response]]


class TaskStatus(BaseModel):
    """What BentoML says of a task, its times in ISO 8601; how far it is, and why it failed.

    The error of one that is pending says for which other server it waits.
    """

    task_id: str
    status: State
    created_at: str
    executed_at: str | None
    completed_at: str | None
    error: str | None = None
    progress: dict[str, Any] | None = None


class VideoService(Protocol):
    """What a service with a video task has."""

    runner: Runner

    def check(self, video: Path, parameters: dict[str, Any]) -> None:
        """Refuse (RequestRefused) what can be seen to be wrong before the work. In a thread."""


class Tasks:
    """The middleware, to be given to `guard`; what is of no task goes to `app`."""

    def __init__(self, app: ASGIApp, service: Any) -> None:
        self.app = app
        self.limit = Settings.from_environment().max_video
        self.checks = ThreadPoolExecutor(2, thread_name_prefix="checks")
        self.routes: dict[str, tuple[str, Handler]] = {}
        for method in service.apis.values():
            if method.is_task:
                fields = Fields.of(method)
                handlers: dict[str, Handler] = {
                    "submit": partial(self._submit, fields),
                    "status": _status,
                    "get": partial(_get, fields.file),
                    "cancel": _cancel,
                    "retry": _retry,
                }
                self.routes[method.route] = "POST", _directions
                for name, handler in handlers.items():
                    self.routes[f"{method.route}/{name}"] = METHODS[name], handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in self.routes:
            await self.app(scope, receive, send)
            return
        method, handler = self.routes[scope["path"]]
        methods = ("GET", "HEAD") if method == "GET" else (method,)
        if scope["method"] not in methods:
            raise wrong_method(scope["path"], ", ".join(methods))
        try:
            response = await handler(Request(scope, receive))
        except JobError as error:
            raise _refuse(error) from None
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise _refuse(StoreFull("the server's disk is full")) from None
            raise
        await response(scope, receive, send)

    async def _submit(self, fields: Fields, request: Request) -> Response:
        service: VideoService = bentoml.get_current_service()
        runner = service.runner
        upload = Upload(request, fields.file)
        size = declared_size(request.headers, self.limit, MAX_VIDEO_VARIABLE)
        job = await _new_job(runner.store, self.limit if size is None else size)
        try:
            path = job.source_folder / "upload"
            with path.open("wb") as file:
                parts = await upload.receive(file, self.limit, MAX_VIDEO_VARIABLE)
            path = path.rename(path.with_name(_name_of(parts)))
            arguments = fields.validate(fields.values(parts, request.scope["query_string"], path))
            video = arguments.pop(fields.file)
            # Apart from the threads that open photos, which are not to wait for it.
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self.checks, service.check, video, arguments)
            if await request.is_disconnected():  # nobody would know of the task, nor stop it
                raise ClientDisconnected
            parameters = to_jsonable_python(arguments)
            await asyncio.to_thread(runner.store.submit, job, video, parameters)
        finally:
            await asyncio.to_thread(runner.store.close, job)
        runner.wake()
        return _describe(job, HTTPStatus.ACCEPTED)


async def _new_job(store: JobStore, size: int) -> Job:
    making = asyncio.create_task(asyncio.to_thread(store.new, size))
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:  # the thread goes on, and nobody would close its job
        await asyncio.to_thread(store.close, await making)
        raise


def _refuse(error: JobError) -> RequestRefused:
    headers = RETRY_AFTER if isinstance(error, StoreFull) else None
    return RequestRefused(STATUS[type(error)], str(error), headers=headers)


async def _directions(request: Request) -> Response:
    path = request.url.path
    raise RequestRefused(
        HTTPStatus.NOT_FOUND, f"{path} is a task: POST to {path}/submit, then GET {path}/status"
    )


async def _status(request: Request) -> Response:
    return _describe(_job(_asked(request)))


async def _get(field: str, request: Request) -> Response:
    asked = _asked(request, "part")
    job = _job(asked)
    record = job.record()
    part = asked.get("part", "video")
    if part not in PARTS:
        raise RequestRefused(
            HTTPStatus.BAD_REQUEST, f"part: no {part!r} here, only {', '.join(PARTS)}", "part"
        )
    if record.state == "failed":
        status = HTTPStatus.BAD_REQUEST if record.unusable else HTTPStatus.INTERNAL_SERVER_ERROR
        raise RequestRefused(status, str(record.error), field if record.unusable else None)
    if record.state == "canceled":
        raise WrongState(f"task {job.id} was cancelled")
    if record.result is None:
        raise WrongState(f"task {job.id} is not completed yet")
    path = job.folder / record.result
    if part in RECORDS:
        path = files_of(path)[part]
    if not path.is_file():
        raise NoSuchJob(f"the result of task {job.id} is no longer there")
    return FileResponse(path, media_type=PARTS[part], filename=path.name)


async def _cancel(request: Request) -> Response:
    job = _job(_asked(request))
    await asyncio.to_thread(_store().cancel, job)
    return _describe(job)


async def _retry(request: Request) -> Response:
    job = _job(_asked(request))
    await asyncio.to_thread(_store().retry, job)
    bentoml.get_current_service().runner.wake()
    return _describe(job, HTTPStatus.ACCEPTED)


def _store() -> JobStore:
    service: VideoService = bentoml.get_current_service()
    return service.runner.store


def _asked(request: Request, *more: str) -> dict[str, str]:
    """The query's parameters: the task's id, and `more`."""
    return query_values(request.scope["query_string"], ("task_id", *more))


def _job(asked: dict[str, str]) -> Job:
    task_id = asked.get("task_id")
    if not task_id:
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "task_id is missing", "task_id")
    return _store().get(task_id)


def _describe(job: Job, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """How far a job is."""
    record = job.record()
    answer = TaskStatus(
        task_id=job.id,
        status=record.state,
        created_at=record.created_at,
        executed_at=record.executed_at,
        completed_at=record.completed_at,
    )
    if error := record.error or _store().elsewhere(record):
        answer.error = error
    if progress := job.progress():
        answer.progress = progress
    return JSONResponse(answer.model_dump(exclude_unset=True), status)


def _name_of(parts: list[Part]) -> str:
    """What the video of an upload is to be called here."""
    return _safe(next((part.filename or "" for part in parts if part.spooled), ""))


def _safe(name: str) -> str:
    """A name for a file here, as like the one that it has there as may be."""
    return re.sub(r"[^\w.-]+", "_", name)[-MAX_NAME:].lstrip(".-") or "video"
