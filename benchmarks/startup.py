"""Where the time of one `bentoml run` goes: BentoML, the service, the engine, the model, the call.

    python -m benchmarks.startup --rounds 5

Times the real command, and a process that takes the same steps and notes the
time after each. One JSON line a step goes to stdout, medians over the rounds in
milliseconds; a table to stderr.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STEPS = {
    "python": "the interpreter starts",
    "bentoml": "import BentoML's command line",
    "service": "find the Bento, import its service",
    "engine": "import the engine",
    "model": "start the service: load, compile and warm up the model",
    "first": "the first photo",
    "next": "each further photo",
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
    start = time.time()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    return (time.time() - start) * 1000


def main() -> int:
    parser = argparse.ArgumentParser(description="Time the steps of one bentoml run.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bundle", type=Path, default=ROOT / "artifacts" / "cifar_net")
    parser.add_argument("--photo", type=Path, help="default: the first of images/")
    parser.add_argument("--steps", metavar="TAG", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.steps:
        print(json.dumps(take_steps(options.steps, options.photo)))
        return 0
    photo = options.photo or min((ROOT / "images").glob("*.jpg"))
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        # Set before BentoML is imported: the benchmark keeps out of the user's store.
        os.environ |= {"BENTOML_HOME": scratch, "BENTOML_DO_NOT_TRACK": "true"}
        from bentoml_img.packaging import package

        tag = package(options.bundle.resolve()).tag
        rounds = [
            {**time_steps(tag, photo), "command": time_command(tag, photo)}
            for _ in range(options.rounds)
        ]
    report({step: statistics.median(r[step] for r in rounds) for step in rounds[0]})
    return 0


def report(medians: dict[str, float]) -> None:
    """Print a JSON line for each step to stdout and the table to stderr."""
    from rich.console import Console
    from rich.table import Table

    from benchmarks.machine import describe

    table = Table(title="bentoml run, one photo")
    table.add_column("step")
    table.add_column("ms", justify="right")
    names = {**STEPS, "command": "the whole command, from start to exit"}
    machine = describe(os.cpu_count() or 1)
    for step, milliseconds in medians.items():
        print(json.dumps({"step": step, "ms": round(milliseconds, 1), **machine}))
        table.add_row(names[step], f"{milliseconds:.0f}", end_section=step == "next")
    Console(stderr=True).print(table)


if __name__ == "__main__":
    sys.exit(main())
