"""What a run tells: answers on standard output, the rest on standard error."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from bentoml_run.asgi import Answer
from bentoml_run.errors import Failure, reason
from bentoml_run.inputs import Call

if TYPE_CHECKING:
    from rich.progress import Progress

PLUMBING = {"content-length", "date", "server", "transfer-encoding", "x-content-type-options"}


@contextmanager
def own_stdout() -> Iterator[BinaryIO]:
    """Standard output for answers alone: what a service prints goes to standard error."""
    if sys.stdout is None:
        raise Failure("standard output is closed.")
    sys.stdout.flush()
    number = sys.stdout.fileno()
    stdout = os.fdopen(os.dup(number), "wb")
    os.dup2(sys.stderr.fileno(), number)
    try:
        yield stdout
    finally:
        sys.stdout.flush()
        os.dup2(stdout.fileno(), number)
        with suppress(OSError):  # what could not be written was told when it was
            stdout.close()


class Report:
    """Writes the outcome of each call as it comes.

    `stdout` takes the answers, or with `as_json` a record a call, as JSON; with `as_json` or
    `quiet` there are no INFO lines.
    """

    def __init__(self, stdout: BinaryIO, as_json: bool, quiet: bool) -> None:
        self._stdout = stdout
        self._as_json = as_json
        self._info = not (quiet or as_json)
        self._progress: Progress | None = None

    @contextmanager
    def progress(self, calls: int) -> Iterator[None]:
        """Show a bar on a terminal while there are many calls."""
        if calls < 2 or not sys.stderr.isatty():
            yield
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        columns = BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        with Progress(*columns, console=Console(stderr=True), transient=True) as self._progress:
            self._progress.add_task("", total=calls)
            yield

    @contextmanager
    def _lines(self) -> Iterator[None]:
        """Write lines above the bar."""
        if self._progress is None:
            yield
            return
        self._progress.stop()
        yield
        self._progress.start()

    def chunk(self, head: Answer, chunk: bytes) -> None:
        """Write a piece of a streamed answer as soon as it is there."""
        if not self._as_json and head.ok and head.media_type == "text/event-stream":
            self._stdout.write(chunk)
            self._stdout.flush()

    def done(self, entry: dict[str, Any], answer: Answer, shown: Path | None) -> None:
        """Write the outcome of a call that was answered well; `shown` is the file it gave."""
        with self._lines():
            if self._as_json:
                self._write(_json(entry))
            elif shown is not None:
                self._write(os.fsencode(shown))
            elif answer.media_type == "text/event-stream":
                self._write(b"")
            else:
                self._write(answer.body)
            if self._info:
                now = datetime.now().isoformat(" ", "milliseconds").replace(".", ",")
                click.echo(f"[{now}] INFO - {entry}", err=True)
        self._advance()

    def failed(self, message: str, entry: dict[str, Any] | None = None) -> None:
        """Write why a call failed."""
        with self._lines():
            if self._as_json and entry is not None:
                self._write(_json(entry))
            click.echo(f"Error: {' '.join(message.split())}", err=True)
        self._advance()

    def _write(self, line: bytes) -> None:
        try:
            self._stdout.write(line if line.endswith(b"\n") else line + b"\n")
            self._stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Failure(f"standard output cannot be written: {reason(error)}") from error

    def _advance(self) -> None:
        if self._progress is not None:
            self._progress.advance(self._progress.task_ids[0])


def describe(path: Path) -> dict[str, str]:
    """A file as a record names it."""
    return {"uri": path.as_uri(), "name": path.name}


def task_data(call: Call) -> Any:
    """What a call was about: its files, or else what was given."""
    files = [describe(file.path) for file in call.sources]
    if files:
        return files[0] if len(files) == 1 else files
    if call.body is not None:
        return call.body.decode(errors="replace")
    return json.dumps(call.fields, ensure_ascii=False)


def public_headers(answer: Answer) -> tuple[tuple[str, str], ...]:
    """The headers that say something about the answer, not about its way here, or to browsers."""
    return tuple(
        (name.title(), value)
        for name, value in answer.headers
        if name not in PLUMBING and not name.startswith("x-bentoml-")
    )


def _json(entry: dict[str, Any]) -> bytes:
    # A file name that is not UTF-8 holds lone surrogates, which JSON writes as escapes.
    return json.dumps(entry, ensure_ascii=False).encode(errors="backslashreplace")
