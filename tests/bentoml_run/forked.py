"""Run `bentoml` commands in forks of one process, which saves each of them its imports.

One JSON object a line on standard input: argv, cwd, env, and the files for stdin, stdout and
stderr; the exit status of each as a line on standard output.
"""

import json
import os
import sys
from importlib import import_module
from typing import Any

from bentoml_cli.cli import cli

PRELOADED = (
    "_bentoml_impl.client.proxy",
    "_bentoml_impl.server.app",
    "aiosqlite",
    "bentoml._internal.server.http.access",
    "bentoml._internal.server.http.instruments",
    "bentoml_run.session",
    "opentelemetry.instrumentation.asgi",
    "opentelemetry.sdk.trace",
)


def main() -> None:
    for module in PRELOADED:
        import_module(module)
    requests, statuses = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    for line in iter(requests.readline, ""):
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            run(request)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=statuses, flush=True)


def run(request: dict[str, Any]) -> None:
    os.chdir(request["cwd"])
    os.environ.update(request["env"])
    modes = os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT
    for number, (name, mode) in enumerate(zip(("stdin", "stdout", "stderr"), modes, strict=True)):
        os.dup2(os.open(request[name], mode), number)
    sys.argv = ["bentoml", *request["argv"]]
    cli()


main()
