"""The servers under test: a command each, and the ways in that are measured."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Form = Literal["multipart", "raw", "base64"]


@dataclass(frozen=True)
class Route:
    """A path, and the form in which photos are sent to it."""

    form: Form
    path: str = "/predict"


@dataclass(frozen=True)
class Server:
    """A server under test; `{bundle}`, `{bento}` and `{port}` in its command are filled in."""

    name: str
    command: Sequence[str]
    routes: Sequence[Route]


def bento_server(name: str, target: str, *routes: Form) -> Server:
    command = [sys.executable, "-m", "bentoml", "serve", target]
    command += ["--host", "127.0.0.1", "--port", "{port}"]
    return Server(name, command, [Route(form) for form in routes])


def python_server(name: str, module: str, options: str, routes: Sequence[Route]) -> Server:
    command = [sys.executable, "-m", f"benchmarks.servers.{module}"]
    command += ["--bundle", "{bundle}", "--port", "{port}", *options.split()]
    return Server(name, command, routes)


# The best of LitServe's and uvicorn's settings in a run of benchmarks.search on two cores. Where
# the network costs more than there, one worker leaves a core idle: LitServe has two, as well.
LITSERVE = {f"LitServe, {workers}×1": f"--workers {workers} --batch 16" for workers in (1, 2)}
FASTAPI = "--workers 1 --threads 2"

OURS = bento_server("ours", "{bento}", "multipart", "raw")
OTHERS = (
    *(
        python_server(name, "litserve_app", options, [Route("multipart"), Route("base64")])
        for name, options in LITSERVE.items()
    ),
    python_server(
        "FastAPI", "fastapi_app", FASTAPI, [Route("multipart", "/async"), Route("raw", "/raw")]
    ),
    python_server("FastAPI, def", "fastapi_app", FASTAPI, [Route("multipart", "/def")]),
    bento_server("BentoML", "benchmarks.servers.bentoml_app:PlainClassifier", "multipart"),
)
