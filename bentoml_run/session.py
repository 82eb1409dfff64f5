"""One run of the command: find, check, load, call, write."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bentoml_run.asgi import Answer, App, Application, started
from bentoml_run.bento import LastError, find, load, load_app, redirect_log, scratch
from bentoml_run.errors import Failure, WrongUsage, did_you_mean, one_line
from bentoml_run.help import api_help, bento_help
from bentoml_run.inputs import Call, expand, plan, read_input
from bentoml_run.report import Report, describe, own_stdout, public_headers, task_data
from bentoml_run.request import error_message, send
from bentoml_run.results import Results, is_file, result_folder, suffix_of, without_results
from bentoml_run.schema import Api, apis

if TYPE_CHECKING:
    from bentoml import Bento


def help_page(command: str, tag: str, api_name: str | None) -> str:
    """The help of a Bento, or of one of its APIs.

    WrongUsage if there is no such Bento or API. Failure if the service cannot be imported.
    """
    redirect_log()
    bento = find(tag)
    with scratch(), own_stdout():
        service = load(bento)
        schema = service.schema()
    docs = {name: method.doc or "" for name, method in service.apis.items()}
    if api_name is None:
        return bento_help(command, tag, schema.get("description", ""), apis(schema), docs)
    api = _api(apis(schema), tag, api_name)
    return api_help(command, tag, api, docs[api.name])


def run(
    tag: str,
    api_name: str | None,
    *,
    input_files: Sequence[str],
    input_: str | None,
    params: Sequence[tuple[str, str]],
    output_dir: str | None,
    format_: str,
) -> int:
    """Call an API for every input, and give the exit status.

    WrongUsage if the command line makes no sense; nothing has been loaded. Failure if the Bento
    cannot be loaded or started.
    """
    files = expand(input_files)
    folder = None if output_dir is None else result_folder(output_dir)
    given = None if input_ is None else read_input(input_)
    from bentoml._internal.configuration import get_quiet_mode

    last_error = redirect_log()
    bento = find(tag)
    known = apis(bento.info.schema)
    api = _api(known, tag, api_name)
    files = without_results(files, {suffix_of(bento.info.labels, name) for name in known})
    calls = plan(api, files, given, params)
    results = Results(
        inputs=[file.path for call in calls for file in call.sources],
        folder=folder,
        suffix=suffix_of(bento.info.labels, api.name),
        here=Path.cwd(),
    )
    options = [] if input_ is None else [f"--input={input_}"]
    options += [f"--param={name}={value}" for name, value in params]
    with scratch(results.discard_unfinished), own_stdout() as stdout:
        service, app = load_app(bento)
        report = Report(stdout, as_json=format_ == "json", quiet=get_quiet_mode())
        session = Session(service, bento, api, results, report, last_error, tuple(options))
        with report.progress(0 if api.streams else len(calls)):
            try:
                return asyncio.run(session.run(app, calls))
            except SystemExit as error:  # it ends asyncio's loop, wherever it is raised
                message = f"{bento.tag} ended itself, with sys.exit({error.code})"
                raise Failure(message) from error


@dataclass(frozen=True)
class Session:
    """A loaded service and what goes with its answers."""

    service: str
    bento: "Bento"
    api: Api
    results: Results
    report: Report
    last_error: LastError
    options: tuple[str, ...]

    async def run(self, app: App, calls: Sequence[Call]) -> int:
        """Make the calls one after another; 0 if all went well, else 1."""
        failed = False
        try:
            async with started(app) as application:
                for call in calls:
                    failed |= not await self._call(application, call)
        except (BrokenPipeError, Failure):
            raise
        except Exception as error:
            raise Failure(f"{self.bento.tag} failed to start or stop: {one_line(error)}") from error
        return int(failed)

    async def _call(self, app: Application, call: Call) -> bool:
        name = ", ".join(file.written for file in call.sources) or self.api.name
        self.last_error.take()  # of an earlier call, or of none
        try:
            answer, task_id = await send(app, self.api, call, self.report.chunk)
        except BrokenPipeError:
            raise
        except (Failure, OSError, ValueError) as error:
            self.report.failed(f"{name}: {one_line(error)}", self._record(call, None, None, None))
            return False
        if not answer.ok:
            message = f"{name}: {answer.status} {error_message(answer)}"
            cause = self.last_error.take()
            if cause is not None and answer.status >= 500:
                message += f" [{one_line(cause)}; --verbose shows more]"
            self.report.failed(message, self._record(call, answer, None, task_id))
            return False
        # BentoML ends a stream that fails as if it were whole.
        if self.api.streams and (cause := self.last_error.take("bentoml")):
            message = f"{name}: the answer broke off: {one_line(cause)}; --verbose shows more"
            self.report.failed(message, self._record(call, answer, None, task_id))
            return False
        path = shown = None
        if is_file(answer):
            try:
                path, shown = self.results.write(call, self.api.name, answer)
            except Failure as error:
                record = self._record(call, answer, None, task_id)
                self.report.failed(f"{name}: {error.message}", record)
                return False
        self.report.done(self._record(call, answer, path, task_id), answer, shown)
        return True

    def _record(
        self, call: Call, answer: Answer | None, result: Path | None, task_id: str | None
    ) -> dict[str, Any]:
        """What was asked and answered, if it was, in the shape that BentoML 0.x logged."""
        task_id = task_id or str(uuid.uuid4())
        files = [f"--input-file={file.written}" for file in call.input_files]
        data: dict[str, str] | str | None = None
        if result is not None:
            data = describe(result)
        elif answer and not is_file(answer):
            data = answer.body.decode(errors="replace")
        return {
            "service_name": self.service,
            "service_version": self.bento.tag.version,
            "api": self.api.name,
            "task": {
                "data": task_data(call),
                "task_id": task_id,
                "cli_args": (*files, *self.options),
            },
            "result": {
                "data": data,
                "http_status": answer.status if answer else None,
                "http_headers": public_headers(answer) if answer else (),
            },
            "request_id": (answer and answer.header("x-bentoml-request-id")) or task_id,
        }


def _api(known: Mapping[str, Api], tag: str, name: str | None) -> Api:
    if not known:
        raise WrongUsage(f"{tag} has no API; 'bentoml run' takes Bentos of BentoML 1.2 or newer.")
    names = ", ".join(known)
    if name is None:
        raise WrongUsage(f"Name an API of {tag}: {names}.")
    if name not in known:
        near = did_you_mean(name, known) or f" It has: {names}."
        raise WrongUsage(f"{tag} has no API {name!r}.{near}")
    return known[name]
