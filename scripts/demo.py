"""Classify the photos in images/ with `bentoml run`, and print a table.

`images/expected.csv` says what each shows. Photos of none of the classes come
apart: no answer to them is right.
"""

import csv
import json
import subprocess
import sys

from rich.console import Console
from rich.table import Table

from bentoml_img.shelf import ROOT


def main(bento: str) -> int:
    with (ROOT / "images" / "expected.csv").open(newline="") as file:
        expected = {row["file"]: row["label"] for row in csv.DictReader(file)}
    files = [f"images/{name}" for name in expected]
    command = [sys.executable, "-m", "bentoml", "run", bento, "classify", "-q", "--input-file"]
    run = subprocess.run([*command, *files], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if run.returncode:
        return run.returncode
    answers = dict(zip(expected, map(json.loads, run.stdout.splitlines()), strict=True))
    of_the_ten = [name for name in expected if expected[name] != "none"]
    others = [name for name in expected if expected[name] == "none"]
    table = Table("file", "shows", "label", "score")
    for group in (of_the_ten, others):
        for name in group:
            label, score = answers[name]["label"], answers[name]["score"]
            colour = "green" if label == expected[name] else "red"
            table.add_row(name, expected[name], f"[{colour}]{label}[/]", f"{score:.2f}")
        table.add_section()
    right = sum(answers[name]["label"] == expected[name] for name in of_the_ten)
    console = Console()
    console.print(table)
    console.print(f"{right} right of {len(of_the_ten)} that show one of the ten classes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
