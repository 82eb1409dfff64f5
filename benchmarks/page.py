"""Run the benchmarks, and write their figures on one page.

    python -m benchmarks.page [NAME ...]

Each benchmark is a process. Its JSON lines are kept in build/bench/NAME.jsonl
once it has come to its end: a run that was stopped goes on, and what is there is
not measured again unless it is named or --fresh is given. All that is there goes
into docs/benchmarks.md, with what the figures should reach. --quick measures
as little as possible, to see whether all works, into build/bench/quick.
"""

import ast
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.bars import BARS, Results, Row
from bentoml_img.paths import ROOT
from bentoml_img.system.atomic import replacing, write

KEPT = ROOT / "build" / "bench"
PAGE = ROOT / "docs" / "benchmarks.md"
MACHINE = ("processor", "cores", "python", "versions")
UNKNOWN = "–"


@dataclass(frozen=True)
class Benchmark:
    """A module of this package with its arguments; `quick` are more of them, to measure little."""

    name: str
    module: str
    arguments: str = ""
    quick: str = ""

    def command(self, quick: bool = False) -> list[str]:
        arguments = f"{self.arguments} {self.quick if quick else ''}".split()
        return [sys.executable, "-m", f"benchmarks.{self.module}", *arguments]


SEGMENTER = "--bundle artifacts/deeplabv3_lite"
BOTH_ENGINES = "--engine openvino --engine torch"
FEW = "--rounds 1 --seconds 1 --warm-up 1"
BENCHMARKS = (
    Benchmark("engines", "engines", quick="--rounds 1 --photos 2 --model fcn_lite"),
    Benchmark("detectors", "detectors", quick="--photos 2"),
    Benchmark("video", "video", quick="--rounds 1 --frames 4"),
    Benchmark("counting", "counting", quick="--every 20"),
    Benchmark("stages", "stages", quick="--rounds 1 --photo images/dog.jpg"),
    Benchmark("serving", "serving", quick=FEW),
    Benchmark("segmenting", "segmenting", quick=FEW),
    Benchmark("segmenting-int8", "segmenting", "--precision int8", FEW),
    Benchmark("startup", "startup", quick="--rounds 1"),
    Benchmark("startup-segmenter", "startup", f"{SEGMENTER} {BOTH_ENGINES}", "--rounds 1"),
    Benchmark("memory-openvino", "memory", f"{SEGMENTER} --engine openvino"),
    Benchmark("memory-torch", "memory", f"{SEGMENTER} --engine torch"),
)
NAMES = [benchmark.name for benchmark in BENCHMARKS]


def keep(command: Sequence[str], path: Path) -> bool:
    """Run a command and keep what it prints in a file; False, and no file, if it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replacing(path) as part, part.open("wb") as output:
            subprocess.run(command, cwd=ROOT, stdout=output, check=True)
    except subprocess.CalledProcessError:
        path.unlink(missing_ok=True)  # figures of another state are worse than none
        return False
    return True


def read(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def table(lines: Sequence[Row]) -> str:
    """JSON lines in Markdown: a column for each figure, of the machine none."""
    flat = [_flat(line) for line in lines]
    columns = list(dict.fromkeys(key for line in flat for key in line))
    cells = [[_text(line.get(column)) for column in columns] for line in flat]
    return _markdown([column.replace("_", " ") for column in columns], cells)


def _flat(line: Row) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in line.items():
        if key in MACHINE or isinstance(value, list):
            continue
        flat |= {f"÷ {k}": v for k, v in value.items()} if isinstance(value, dict) else {key: value}
    return flat


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) >= 1 else f"{value:.6g}"  # shares need more digits
    return "" if value is None else str(value)


def _markdown(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bars(results: Results) -> str:
    """What should be reached, and what was, as a table."""
    cells = []
    for bar in BARS:
        value = bar.value(results)
        limit = f"{'≤' if bar.at_most else '≥'} {bar.limit:g}"
        reached = UNKNOWN if value is None else "yes" if bar.reached(value) else "no"
        cells.append([bar.measure, limit, UNKNOWN if value is None else f"{value:.4g}", reached])
    return _markdown(["measure", "bar", "measured", "reached"], cells)


def machines(results: Results) -> str:
    """What was measured on what: a line for each machine with its versions."""
    names: dict[str, list[str]] = {}
    for name, lines in results.items():
        for line in lines:
            if "processor" in line:
                versions = ", ".join(f"{k} {v}" for k, v in line["versions"].items())
                text = f"{line['processor']}, {line['cores']} cores, Python {line['python']}"
                names.setdefault(f"{text}, {versions}", []).append(name)
    if len(names) == 1:
        return f"On {next(iter(names))}."
    return "\n".join(f"- {', '.join(dict.fromkeys(n))}: {text}" for text, n in names.items())


def page(results: Results, dates: dict[str, str]) -> str:
    """The whole page in Markdown."""
    goals = bars(results)
    parts = [
        "# Benchmarks",
        "Written by `make bench`. Ratios are the medians of the rounds' own, in which what is "
        "compared takes turns: not quite the quotients of two medians in a table. Those of p99, of "
        "the time to start and of memory are such quotients, memory's of two runs.",
        machines(results),
        "## What should be reached",
        *([f"{UNKNOWN} is what was not measured."] if f"| {UNKNOWN} |" in goals else []),
        goals,
    ]
    for benchmark in BENCHMARKS:
        if lines := results.get(benchmark.name):
            source = Path(__file__).with_name(f"{benchmark.module}.py").read_text()
            command = " ".join(["python", *benchmark.command()[1:]])
            parts += [
                f"## {benchmark.name}",
                f"`{command}`, {dates[benchmark.name]}",
                ast.get_docstring(ast.parse(source)) or "",
                table(lines),
            ]
    return "\n\n".join(parts) + "\n"


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES), metavar="[NAME]...")
@click.option("--fresh", is_flag=True, help="Measure again what is there.")
@click.option("--quick", is_flag=True, help="Measure little, into build/bench/quick.")
def main(names: tuple[str, ...], fresh: bool, quick: bool) -> None:
    """Run the benchmarks, or those with a NAME, and write one page."""
    kept = KEPT / "quick" if quick else KEPT
    failed = []
    for benchmark in BENCHMARKS:
        path = kept / f"{benchmark.name}.jsonl"
        wanted = benchmark.name in names if names else fresh or not path.exists()
        if wanted:
            print(f"{benchmark.name} ...", file=sys.stderr)
            if not keep(benchmark.command(quick), path):
                failed.append(benchmark.name)
    files = {name: kept / f"{name}.jsonl" for name in NAMES}
    results = {name: read(file) for name, file in files.items() if file.exists()}
    dates = {
        name: time.strftime("%Y-%m-%d", time.gmtime(files[name].stat().st_mtime))
        for name in results
    }
    target = kept / PAGE.name if quick else PAGE
    write(target, page(results, dates).encode())
    print(target.relative_to(ROOT))
    if failed:
        raise click.ClickException(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
