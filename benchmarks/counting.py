"""Hold the counts of a clip against its truth.

`python -m benchmarks.counting [--every N]` annotates videos/3.gif with the shipped
detector and prints a JSON line: how many crossings of its middle there are, how
many were seen going the right way within a second, how many of these with the
right class, and how many were seen that there are not.

With `--video vtest.avi --truth benchmarks/vtest.truth.json` it is the first 200
frames of a video of people from a fixed camera, counted by hand. The video comes
with OpenCV (Debian's opencv-doc, examples/data/vtest.avi); who filmed it is not
stated there, so it is no part of this project.
"""

import itertools
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.options import COUNT
from bentoml_img.bundle import sha256
from bentoml_img.cli.options import FILE, precision_option
from bentoml_img.detect import Detector
from bentoml_img.offline.annotate import annotate_video
from bentoml_img.paths import ROOT
from bentoml_img.shelf import bundle_of
from bentoml_img.video.frames import FOLDER_RATE
from bentoml_img.video.options import Options
from bentoml_img.video.places import PlaceSpec, lines_of
from bentoml_img.video.reading import open_video
from bentoml_img.video.records import read_events

CLIP = ROOT / "videos" / "3.gif"
TRUTH = ROOT / "videos" / "3.truth.json"
TOLERANCE = 1.0  # seconds; the middle of a box is not that of a thing that is half hidden


def compare(true: Sequence[dict[str, Any]], seen: Sequence[dict[str, Any]]) -> dict[str, int]:
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
        "crossings": len(true),
        "seen": len(pairs),
        "right_class": sum(one["label"] == other["label"] for one, other in pairs),
        "false": len(left),
    }


def first_frames(video: Path, count: int, folder: Path) -> Path:
    """The first frames of a video as pictures in a folder."""
    folder.mkdir()
    with open_video(video) as frames:
        for frame in itertools.islice(frames, count):
            frame.image.save(folder / f"{frame.index:05}.png", compress_level=1)
    return folder


@click.command()
@click.option("--video", type=FILE, default=CLIP, help="Default: the sample clip.")
@click.option("--truth", "path", type=FILE, default=TRUTH, help="Its line and crossings, as JSON.")
@click.option("--every", type=COUNT, default=1, show_default=True)
@click.option("--model", default="maskrcnn_lite", show_default=True)
@precision_option
def main(video: Path, path: Path, every: int, model: str, precision: str) -> None:
    """Hold the counts of a clip against its truth."""
    truth = json.loads(path.read_text())
    if truth.get("sha256", sha256(video)) != sha256(video):
        raise click.UsageError(f"{video} is not the video that {path} is about")
    bundle = bundle_of(model)
    options = Options(
        lines=lines_of([PlaceSpec(tuple(truth["line"]))]),
        every=every,
        rate=truth.get("rate", FOLDER_RATE),
    )
    with tempfile.TemporaryDirectory() as folder:
        source = video
        if "frames" in truth:
            source = first_frames(video, truth["frames"], Path(folder, "frames"))
        detector = Detector.from_bundle(bundle, precision=precision)
        result = annotate_video(source, Path(folder, "result.mp4"), detector, options)
        seen = [
            {"label": row["label"], "to": row["direction"], "time": float(row["time"])}
            for row in read_events(result.events)
            if row["kind"] == "crossed"
        ]
    figures = compare(truth["crossings"], seen)
    measured = {"video": video.name, "model": model, "precision": precision, "every": every}
    click.echo(json.dumps({**measured, **figures}))


if __name__ == "__main__":
    main()
