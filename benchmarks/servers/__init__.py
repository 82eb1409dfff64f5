"""The servers under test: a command each, and the ways in that are measured."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

BUNDLE = "BENCHMARK_BUNDLE"  # the variable that tells a server's processes their bundle
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


def bentoml_serve(target: str, port: int | str) -> list[str]:
    """BentoML's own command that serves a Bento, or a module's service, on 127.0.0.1."""
    command = [sys.executable, "-m", "bentoml", "serve", target]
    return [*command, "--host", "127.0.0.1", "--port", str(port)]


def bento_server(name: str, target: str, *routes: Form) -> Server:
    return Server(name, bentoml_serve(target, "{port}"), [Route(form) for form in routes])


def python_server(name: str, module: str, options: str, routes: Sequence[Route]) -> Server:
    command = [sys.executable, "-m", f"benchmarks.servers.{module}"]
    command += ["--bundle", "{bundle}", "--port", "{port}", *options.split()]
    return Server(name, command, routes)


# The best of LitServe's and uvicorn's settings in a run of benchmarks.search on two cores, for a
# network that costs next to nothing; where it costs more, two workers are better, so both have two
# as well: workers × threads of the network.
LITSERVE = {f"LitServe, {workers}×1": f"--workers {workers} --batch 16" for workers in (1, 2)}
FASTAPI = {
    f"FastAPI, {workers}×{threads}": f"--workers {workers} --threads {threads}"
    for workers, threads in ((1, 2), (2, 1))
}

PLAIN_BENTOML = "PlainClassifier"
OURS = bento_server("ours", "{bento}", "multipart", "raw")
OTHERS = (
    *(
        python_server(name, "litserve_app", options, [Route("multipart"), Route("base64")])
        for name, options in LITSERVE.items()
    ),
    *(
        python_server(name, "fastapi_app", options, [Route("multipart"), Route("raw", "/raw")])
        for name, options in FASTAPI.items()
    ),
    bento_server("BentoML", f"benchmarks.servers.bentoml_app:{PLAIN_BENTOML}", "multipart"),
)
