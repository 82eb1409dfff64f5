"""Where the time of one `bentoml run` goes: BentoML, the service, the engine, the model, the call.

    python -m benchmarks.startup --rounds 5 --engines openvino torch

Times the real command; a process that takes the same steps and notes the time
after each; and `bentoml serve` up to its first answer. Engines take turns in
each round. One JSON line a step goes to stdout, medians over the rounds in
milliseconds; a table to stderr.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from bentoml_img.paths import ROOT, SHIPPED

STEPS = {
    "python": "the interpreter starts",
    "bentoml": "import BentoML's command line",
    "service": "find the Bento, import its service",
    "engine": "import the engine",
    "model": "start the service: load, compile and warm up the model",
    "first": "the first photo",
    "next": "each further photo",
}
WHOLE = {
    "command": "the whole command, from start to exit",
    "serve": "bentoml serve, from start to the first answer",
}


def take_steps(tag: str, photo: Path) -> list[float]:
    """The wall-clock time, in seconds since the epoch, after each of STEPS."""
    stamps = [time.time()]
    body = photo.read_bytes()
    import bentoml_cli.cli  # noqa: F401

    stamps.append(time.time())
    from bentoml_run.bento import find, load_app, redirect_log

    redirect_log()
    bento = find(tag)
    _, app = load_app(bento)
    stamps.append(time.time())
    if bento.info.labels["engine"] == "openvino":
        import openvino  # noqa: F401
    else:
        import torch  # noqa: F401
    stamps.append(time.time())

    async def call() -> None:
        import httpx

        from bentoml_run.asgi import started

        async with started(app) as application:
            stamps.append(time.time())
            for _ in range(2):
                request = httpx.Request("POST", "http://localhost/predict", content=body)
                answer = await application.send(request)
                if not answer.ok:
                    raise RuntimeError(answer.body.decode())
                stamps.append(time.time())

    asyncio.run(call())
    return stamps


def time_steps(tag: str, photo: Path) -> dict[str, float]:
    """Milliseconds of each of STEPS, in a process of their own."""
    command = [sys.executable, "-m", "benchmarks.startup", "--steps", tag, "--photo", str(photo)]
    start = time.time()
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120).stdout
    stamps = [start, *json.loads(output.splitlines()[-1])]
    return {
        step: (after - before) * 1000
        for step, (before, after) in zip(STEPS, pairwise(stamps), strict=True)
    }


def time_command(tag: str, photo: Path) -> float:
    """Milliseconds of `bentoml run` with one photo, from start to exit."""
    command = [sys.executable, "-m", "bentoml", "run", tag, "predict", f"--input-file={photo}"]
    with tempfile.TemporaryDirectory(prefix="benchmark-") as answers:
        command += ["--output-dir", answers]
        start = time.time()
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
        return (time.time() - start) * 1000


def time_serve(tag: str, photo: Path) -> float:
    """Milliseconds of `bentoml serve` from its start to the answer for one photo."""
    import httpx

    from benchmarks.process import free_port, serving

    port = free_port()
    command = [sys.executable, "-m", "bentoml", "serve", tag, "--host", "127.0.0.1"]
    start = time.time()
    with serving([*command, "--port", str(port)], port, {}):
        answer = httpx.post(
            f"http://127.0.0.1:{port}/predict", content=photo.read_bytes(), timeout=60
        )
        seconds = time.time() - start
        answer.raise_for_status()
    return seconds * 1000


def main() -> int:
    parser = argparse.ArgumentParser(description="Time the steps of one bentoml run.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bundle", type=Path, default=SHIPPED / "cifar_lite")
    parser.add_argument("--engines", nargs="+", metavar="ENGINE", default=["auto"])
    parser.add_argument("--photo", type=Path, help="default: the first of images/")
    parser.add_argument("--steps", metavar="TAG", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.steps:
        print(json.dumps(take_steps(options.steps, options.photo)))
        return 0
    photo = options.photo or min((ROOT / "images").glob("*.jpg"))
    from benchmarks.process import private_store

    with private_store():
        from bentoml_img.engines import resolve
        from bentoml_img.packaging import package

        bundle = options.bundle.resolve()
        tags = {resolve(bundle, name): package(bundle, name).tag for name in options.engines}
        rounds: dict[str, list[dict[str, float]]] = {engine: [] for engine in tags}
        for _ in range(options.rounds):
            for engine, tag in tags.items():
                whole = {"command": time_command(tag, photo), "serve": time_serve(tag, photo)}
                rounds[engine].append({**time_steps(tag, photo), **whole})
    medians = {
        engine: {step: statistics.median(r[step] for r in times) for step in times[0]}
        for engine, times in rounds.items()
    }
    report(bundle.name, medians)
    return 0


def report(model: str, medians: dict[str, dict[str, float]]) -> None:
    """Print a JSON line for each engine's steps to stdout and the table to stderr."""
    from rich.console import Console
    from rich.table import Table

    from benchmarks.machine import describe

    table = Table(title=f"{model}, one photo")
    table.add_column("step")
    for engine in medians:
        table.add_column(f"{engine}, ms", justify="right")
    machine = describe()
    for step, meaning in (STEPS | WHOLE).items():
        times = {engine: round(steps[step], 1) for engine, steps in medians.items()}
        for engine, ms in times.items():
            line = {"model": model, "engine": engine, "step": step, "ms": ms}
            print(json.dumps({**line, **machine}))
        cells = [f"{ms:.0f}" for ms in times.values()]
        table.add_row(meaning, *cells, end_section=step == "next")
    Console(stderr=True).print(table)


if __name__ == "__main__":
    sys.exit(main())
