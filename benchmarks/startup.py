"""Where the time of one `bentoml run` goes: BentoML, the service, the engine, the model, the call.

    python -m benchmarks.startup --rounds 5 --engine openvino --engine torch

Times the real command; a process that takes the same steps and notes the time
after each; and `bentoml serve` up to its first answer. Engines take turns in
each round. One JSON line a step goes to stdout, medians over the rounds in
milliseconds; a table to stderr.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import click
import httpx
from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe
from benchmarks.options import COUNT
from benchmarks.process import free_port, private_store, serving
from benchmarks.servers import bentoml_serve
from bentoml_img.bundle import Bundle
from bentoml_img.cli.options import FILE, FOLDER
from bentoml_img.engines import ENGINES, resolve
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


def time_steps(tag: str, photo: Path) -> dict[str, float]:
    """Milliseconds of each of STEPS, in a process of their own."""
    command = [sys.executable, "-m", "benchmarks.steps", tag, str(photo)]
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
    port = free_port()
    start = time.time()
    with serving(bentoml_serve(tag, port), port, {}):
        answer = httpx.post(
            f"http://127.0.0.1:{port}/predict", content=photo.read_bytes(), timeout=60
        )
        seconds = time.time() - start
        answer.raise_for_status()
    return seconds * 1000


@click.command()
@click.option("--rounds", type=COUNT, default=5, show_default=True)
@click.option("--bundle", type=FOLDER, default=SHIPPED / "cifar_lite")
@click.option(
    "--engine",
    "engines",
    type=click.Choice(ENGINES),
    multiple=True,
    default=["auto"],
    show_default=True,
    help="Several can be given.",
)
@click.option("--photo", type=FILE, help="Default: the first of images/.")
def main(rounds: int, bundle: Path, engines: tuple[str, ...], photo: Path | None) -> None:
    """Time the steps of one bentoml run."""
    shown = photo or min((ROOT / "images").glob("*.jpg"))
    with private_store():
        from bentoml_img.packaging import package

        bundle = bundle.resolve()
        tags = {resolve(Bundle.open(bundle), name): package(bundle, name).tag for name in engines}
        measured: dict[str, list[dict[str, float]]] = {engine: [] for engine in tags}
        for _ in range(rounds):
            for engine, tag in tags.items():
                whole = {"command": time_command(tag, shown), "serve": time_serve(tag, shown)}
                measured[engine].append({**time_steps(tag, shown), **whole})
    medians = {
        engine: {step: statistics.median(r[step] for r in times) for step in times[0]}
        for engine, times in measured.items()
    }
    report(bundle.name, medians)


def report(model: str, medians: dict[str, dict[str, float]]) -> None:
    """Print a JSON line for each engine's steps to stdout and the table to stderr."""
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
    main()
