"""Find a Bento, and load its service the way that a worker of `bentoml serve` does."""

import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bentoml_run.errors import Failure, WrongUsage, did_you_mean, one_line

SHOW_CURSOR = b"\x1b[?25h"

if TYPE_CHECKING:
    from bentoml import Bento

    from bentoml_run.asgi import App


class LastError(logging.Handler):
    """Remembers the exception that is logged and hidden from the caller of an API."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._error: BaseException | None = None
        self._logger = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self._error, self._logger = record.exc_info[1], record.name

    def take(self, logged_by: str = "") -> BaseException | None:
        """The last exception since the last call of this method.

        None if it was logged by another logger than `logged_by` or those below it.
        """
        error, self._error = self._error, None
        return error if self._logger.startswith(logged_by) else None


def redirect_log() -> LastError:
    """Keep BentoML's log and the tracebacks in others off the terminal.

    With `--verbose` all goes to standard error.
    """
    from bentoml._internal.configuration import get_debug_mode

    last_error, shown = LastError(), logging.StreamHandler()
    logger, root = logging.getLogger("bentoml"), logging.getLogger()
    logger.handlers, root.handlers = [last_error], [last_error, shown]
    logger.propagate = False  # as in BentoML's own configuration
    if get_debug_mode():
        logger.addHandler(shown)
    else:
        shown.addFilter(lambda record: not record.exc_info)
    return last_error


def find(tag: str) -> "Bento":
    """The Bento of a tag in the local store, as `bentoml get` finds it.

    WrongUsage if there is none; the message names the store and the nearest tag.
    """
    import bentoml
    from bentoml._internal.configuration.containers import BentoMLContainer
    from bentoml.exceptions import BentoMLException, NotFound

    try:
        return bentoml.get(tag)
    except NotFound:
        tags = [str(bento.tag) for bento in bentoml.list()]
        known = tags if ":" in tag else {name.partition(":")[0] for name in tags}
        near = did_you_mean(tag, known) or " 'bentoml list' shows what there is."
        home = Path(BentoMLContainer.bentoml_home.get()).absolute()
        raise WrongUsage(f"There is no Bento {tag} in {home} (BENTOML_HOME).{near}") from None
    except ValueError:
        raise WrongUsage(
            f"{tag!r} is not the tag of a Bento: write NAME or NAME:VERSION."
        ) from None
    except BentoMLException as error:
        raise WrongUsage(f"{one_line(error)}.") from None
    except Exception as error:
        raise Failure(f"{tag} cannot be read: {one_line(error)}") from error


@contextmanager
def scratch(clean_up: Callable[[], None] = lambda: None) -> Iterator[None]:
    """A temporary folder for all that a service writes while it runs: task results, uploads.

    Task results stay apart from those of a server on the same machine, and nothing is left
    behind. An interrupt removes the folder and ends the process at once, because a thread that
    computes cannot be stopped in any other way; `clean_up` is called before.
    """

    def stop(number: int, _: object) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        clean_up()
        if os.isatty(sys.stderr.fileno()):
            os.write(sys.stderr.fileno(), SHOW_CURSOR)  # which a progress bar has hidden
        os._exit(128 + number)

    signals = [
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN  # as nohup wants it
    ]
    with tempfile.TemporaryDirectory(prefix="bentoml-run-", ignore_cleanup_errors=True) as folder:
        handlers = [signal.signal(number, stop) for number in signals]
        os.environ["BENTOML_RESULT_STORE"] = str(Path(folder, "task_result.db"))
        before, tempfile.tempdir = tempfile.tempdir, folder
        try:
            yield
        finally:
            tempfile.tempdir = before
            for number, handler in zip(signals, handlers, strict=True):
                signal.signal(number, handler)


def load(bento: "Bento") -> Any:
    """Import the service of a Bento; the working directory becomes the Bento's `src`.

    Failure if the service cannot be imported.
    """
    import bentoml

    try:
        return bentoml.load(bento, standalone_load=True)
    except (Exception, SystemExit) as error:
        advice = _advice(bento, error)
        raise Failure(f"{bento.tag} cannot be loaded: {one_line(error)}{advice}") from error


def load_app(bento: "Bento") -> "tuple[str, App]":
    """The service's name and the application that a server would serve.

    The hooks that come before the first worker have run.

    Failure if the service cannot be imported or made ready.
    """
    from _bentoml_impl.server.serving import server_on_deployment
    from bentoml._internal.context import server_context

    for variable in bento.info.envs:
        if variable.stage != "build" and variable.value:
            os.environ.setdefault(variable.name, variable.value)
    server_context.service_type = "entry_service"
    server_context.worker_index = 1
    server_context.bento_name = bento.tag.name
    server_context.bento_version = bento.info.version
    service = load(bento)
    server_context.service_name = service.name
    server_context.service_routes = [api.route for api in service.apis.values()]
    try:
        server_on_deployment(service)
        return service.name, service.to_asgi()
    except Exception as error:
        raise Failure(f"{bento.tag} cannot be made ready: {one_line(error)}") from error


def _advice(bento: "Bento", error: BaseException) -> str:
    requirements = Path(bento.path_of("env/python/requirements.txt"))
    if isinstance(error.__context__, ModuleNotFoundError) and requirements.exists():
        return f". Its requirements: pip install -r {requirements}"
    return ""
