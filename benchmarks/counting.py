"""Hold the counts of the sample clip against its truth.

`python -m benchmarks.counting [--every N]` annotates videos/3.gif with the shipped
detector and prints a JSON line: how many crossings of its middle there are, how
many were seen going the right way within a second, how many of these with the
right class, and how many were seen that there are not.
"""

import csv
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bentoml_img.annotate import annotate_film, film_options
from bentoml_img.bundle import read_manifest
from bentoml_img.detect import Detector
from bentoml_img.shelf import ROOT, bundle_of

CLIP = ROOT / "videos" / "3.gif"
TRUTH = ROOT / "videos" / "3.truth.json"
TOLERANCE = 1.0  # seconds; the middle of a box is not that of a thing that is half hidden


def compare(
    true: Sequence[dict[str, Any]], seen: Sequence[dict[str, Any]], every: int
) -> dict[str, Any]:
    """Match crossings, each with a label, where `to`, and a time, to the nearest in time."""
    left = list(seen)
    pairs = []
    for crossing in true:
        near = [
            other
            for other in left
            if other["to"] == crossing["to"] and abs(other["time"] - crossing["time"]) <= TOLERANCE
        ]
        if near:
            # Two may cross at one time: the one of the right class first.
            best = min(
                near,
                key=lambda other: (
                    other["label"] != crossing["label"],
                    abs(other["time"] - crossing["time"]),
                ),
            )
            left.remove(best)
            pairs.append((crossing, best))
    return {
        "clip": CLIP.name,
        "every": every,
        "crossings": len(true),
        "seen": len(pairs),
        "right_class": sum(one["label"] == other["label"] for one, other in pairs),
        "false": len(left),
    }


@click.command()
@click.option("--every", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--model", default="maskrcnn_lite", show_default=True)
def main(every: int, model: str) -> None:
    """Hold the counts of the sample clip against its truth."""
    truth = json.loads(TRUTH.read_text())
    bundle = bundle_of(model)
    options = film_options(lines=[truth["line"]], every=every, model=read_manifest(bundle).tag)
    with tempfile.TemporaryDirectory() as folder:
        detector = Detector.from_bundle(bundle)
        result = annotate_film(CLIP, Path(folder, "3.mp4"), detector, options)
        with result.events.open(newline="") as file:
            seen = [
                {"label": row["label"], "to": row["direction"], "time": float(row["time"])}
                for row in csv.DictReader(file)
                if row["kind"] == "crossed"
            ]
    click.echo(json.dumps(compare(truth["crossings"], seen, every)))


if __name__ == "__main__":
    main()
