"""Try the packaged Bentos on the photos in images/ with `bentoml run`, and print tables.

Photos of none of the classifier's classes come apart: no answer to them is right.
"""

import json
import subprocess
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from bentoml_img.paths import ROOT
from scripts import clip, samples

RESULTS = "build/demo"


def answers(bento: str, api: str, names: list[str], *options: str) -> list[str]:
    """What `bentoml run` prints for each photo; CalledProcessError if it fails and says why."""
    files = [f"images/{name}" for name in names]
    command = [sys.executable, "-m", "bentoml", "run", bento, api, "-q", *options]
    command += ["--input-file", *files]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return run.stdout.splitlines()


def classes_table() -> tuple[Table, str]:
    """The classifier's labels, and how many are right."""
    expected = samples.labelled()
    lines = answers("PytorchImageClassifier:latest", "classify", list(expected))
    found: dict[str, Any] = dict(zip(expected, map(json.loads, lines), strict=True))
    of_the_ten = [name for name in expected if expected[name] != samples.NONE]
    others = [name for name in expected if expected[name] == samples.NONE]
    table = Table("file", "shows", "label", "score")
    for group in (of_the_ten, others):
        for name in group:
            label, score = found[name]["label"], found[name]["score"]
            colour = "green" if label == expected[name] else "red"
            table.add_row(name, expected[name], f"[{colour}]{label}[/]", f"{score:.2f}")
        table.add_section()
    right = sum(found[name]["label"] == expected[name] for name in of_the_ten)
    return table, f"{right} right of {len(of_the_ten)} that show one of the ten classes"


def areas_table(names: list[str]) -> Table:
    """What the segmenter sees in the photos, the largest areas first."""
    table = Table("file", "classes")
    for name, line in zip(
        names, answers("PytorchImageSegment:latest", "segment", names), strict=True
    ):
        areas = [f"{area['label']} {area['share']:.0%}" for area in json.loads(line)["classes"]]
        table.add_row(name, ", ".join(areas))
    return table


def instances_table(names: list[str]) -> Table:
    """How many of each class the detector finds in the photos."""
    table = Table("file", "instances")
    for name, line in zip(
        names, answers("PytorchInstanceDetector:latest", "detect", names), strict=True
    ):
        labels = (instance["label"] for instance in json.loads(line)["instances"])
        table.add_row(name, samples.counted(labels))
    return table


def main() -> int:
    console = Console()
    names = samples.scenes()
    try:
        table, summary = classes_table()
        console.print(table)
        console.print(summary)
        console.print(areas_table(names))
        masks = answers("PytorchImageSegment:latest", "overlay", names, "--output-dir", RESULTS)
        console.print(f"overlays of {len(masks)} photos: {RESULTS}")
        console.print(instances_table(names))
        counted = clip.count("--every", "4", "--output-dir", RESULTS)
        console.print(f"the sample clip, counted: {counted}")
    except subprocess.CalledProcessError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
