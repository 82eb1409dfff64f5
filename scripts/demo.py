"""Classify the photos in images/ with `bentoml run`, and print a table."""

import csv
import json
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bentoml_img.packaging import ROOT

IMAGES = ROOT / "images"


def main(bento: str) -> int:
    with (IMAGES / "expected.csv").open(newline="") as file:
        expected = {row["file"]: row["label"] for row in csv.DictReader(file)}
    files = [str((IMAGES / name).relative_to(ROOT)) for name in expected]
    command = [sys.executable, "-m", "bentoml", "run", bento, "classify"]
    run = subprocess.run(
        [*command, "--input-file", *files], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    if run.returncode:
        return run.returncode
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    table = Table("file", "shows", "label", "score")
    right = 0
    for name, answer in zip(expected, answers, strict=True):
        hit = answer["label"] == expected[name]
        right += hit
        style = "" if expected[name] == "none" else "green" if hit else "red"
        table.add_row(name, expected[name], f"[{style}]{answer['label']}" if style else answer["label"], f"{answer['score']:.2f}")
    console = Console()
    console.print(table)
    of_ten = sum(label != "none" for label in expected.values())
    console.print(f"{right} of {of_ten} photos of the ten classes right")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
