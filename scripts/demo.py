"""Classify the photos in images/ with `bentoml run`, and print a table.

`images/expected.csv` says what each shows; `none` is none of the classes, and
counts as neither right nor wrong.
"""

import csv
import json
import subprocess
import sys

from rich.console import Console
from rich.table import Table

from bentoml_img.packaging import ROOT


def main(bento: str) -> int:
    with (ROOT / "images" / "expected.csv").open(newline="") as file:
        expected = {row["file"]: row["label"] for row in csv.DictReader(file)}
    files = [f"images/{name}" for name in expected]
    command = [sys.executable, "-m", "bentoml", "run", bento, "classify", "-q", "--input-file"]
    run = subprocess.run([*command, *files], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if run.returncode:
        return run.returncode
    table = Table("file", "shows", "label", "score")
    right = 0
    for name, line in zip(expected, run.stdout.splitlines(), strict=True):
        answer = json.loads(line)
        hit = answer["label"] == expected[name]
        right += hit
        colour = "dim" if expected[name] == "none" else "green" if hit else "red"
        label = f"[{colour}]{answer['label']}[/]"
        table.add_row(name, expected[name], label, f"{answer['score']:.2f}")
    console = Console()
    console.print(table)
    of_the_classes = sum(label != "none" for label in expected.values())
    console.print(f"{right} right of {of_the_classes} that show one of the ten classes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
