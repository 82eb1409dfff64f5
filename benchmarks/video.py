"""Frames a second of whole pipelines, from a GIF to an MP4 with the instances drawn.

    python -m benchmarks.video --rounds 3 --frames 40

These ways take turns in each round, all with the same weights, in fp32 but for the
last, and every frame detected but for one:

- `loop`, the obvious one: decode, torchvision's Mask R-CNN in eager PyTorch
  (`benchmarks.eager`), draw, encode, one frame after another. Reader, drawing
  function and writer are ours; its masks are as large as the frame, and there
  are no tracks;
- `pipeline, PyTorch`: our pipeline with eager PyTorch. It gains by masks that are
  kept within their boxes and made of less unsure things only, by stages that
  overlap, and by PyTorch's layout `channels_last`; it tracks and keeps records,
  too;
- `pipeline`: with OpenVINO;
- `pipeline, no overlap`: the same, one stage after another in one thread;
- `pipeline, every 3rd`: every third frame detected, tracks carried between;
- `pipeline, bf16` and `pipeline, int8`: `pipeline` in each precision whose cost in
  accuracy is in the model's manifest, if this processor computes in it.

One JSON line a way goes to stdout, medians over the rounds; a table to stderr.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from unittest import mock

import av
import click
from rich.console import Console
from rich.table import Table

from benchmarks.eager import EagerMaskRcnn
from benchmarks.machine import describe
from benchmarks.options import COUNT
from benchmarks.ratios import median_ratio
from benchmarks.weights import precisions_of
from bentoml_img.cli.options import FILE
from bentoml_img.detect import Detector
from bentoml_img.drawing.instances import annotate
from bentoml_img.offline.annotate import annotate_video
from bentoml_img.paths import ROOT
from bentoml_img.shelf import bundle_of
from bentoml_img.video import pipeline
from bentoml_img.video.options import Options
from bentoml_img.video.reading import open_video
from bentoml_img.video.writing import writing_video

EVERY = 3

# Writes an annotated copy of a video, says how many frames it has.
Way = Callable[[Path, Path], int]


def loop(source: Path, target: Path, detect: EagerMaskRcnn) -> int:
    """The obvious way: one frame after another."""
    with open_video(source) as video:
        size, frames = (video.info.width, video.info.height), 0
        with writing_video(target, size, video.info.rate) as file:
            for frame in video:
                (found,) = detect([frame.image])
                file.write(frame, annotate(frame.image, found))
                frames += 1
    return frames


def ours(source: Path, target: Path, detector: Detector, every: int = 1) -> int:
    """Our way."""
    return annotate_video(source, target, detector, Options(every=every)).frames


def without_overlap(source: Path, target: Path, detector: Detector) -> int:
    with mock.patch.object(pipeline, "prefetch", lambda items: items):
        return ours(source, target, detector)


def ways_of(bundle: Path) -> dict[str, Way]:
    openvino = Detector.from_bundle(bundle, "openvino")
    return {
        "loop": partial(loop, detect=EagerMaskRcnn(bundle)),
        "pipeline, PyTorch": partial(ours, detector=Detector.from_bundle(bundle, "torch")),
        "pipeline": partial(ours, detector=openvino),
        "pipeline, no overlap": partial(without_overlap, detector=openvino),
        "pipeline, every 3rd": partial(ours, detector=openvino, every=EVERY),
        **{
            f"pipeline, {precision}": partial(
                ours, detector=Detector.from_bundle(bundle, "openvino", precision=precision)
            )
            for precision in precisions_of(bundle)
            if precision != "fp32"
        },
    }


def cut(video: Path, frames: int, target: Path) -> None:
    """Copy the first frames of a video, as they are encoded."""
    with av.open(str(video)) as source, av.open(str(target), "w") as output:
        stream = source.streams.video[0]
        copy = output.add_stream_from_template(stream)
        packets = (packet for packet in source.demux(stream) if packet.size)
        for _, packet in zip(range(frames), packets, strict=False):
            packet.stream = copy
            output.mux(packet)


def measure(way: Way, clip: Path) -> float:
    """Frames a second."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        start = time.perf_counter()
        frames = way(clip, Path(folder, "result.mp4"))
        return frames / (time.perf_counter() - start)


@click.command()
@click.option("--rounds", type=COUNT, default=3, show_default=True)
@click.option("--video", type=FILE, default=ROOT / "videos" / "3.gif")
@click.option("--frames", type=COUNT, default=40, show_default=True, help="So many of its first.")
@click.option("--model", default="maskrcnn_lite", show_default=True)
def main(rounds: int, video: Path, frames: int, model: str) -> None:
    """Compare pipelines for videos."""
    ways = ways_of(bundle_of(model))
    rates: dict[str, list[float]] = {name: [] for name in ways}
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        clip, frame = (Path(folder, name + video.suffix) for name in ("clip", "frame"))
        cut(video, frames, clip)
        cut(video, 1, frame)
        for way in ways.values():
            measure(way, frame)  # to warm up
        for number in range(1, rounds + 1):
            for name, way in ways.items():
                console.print(f"round {number} of {rounds}: {name}")
                rates[name].append(measure(way, clip))
    report(rates, {"model": model, "video": video.name, "frames": frames})


def report(rates: Mapping[str, list[float]], measured: Mapping[str, str | int]) -> None:
    """Print a JSON line for each way to stdout and the table to stderr."""
    table = Table("way", "frames/s", "÷ loop")
    machine = describe()
    for name, rounds in rates.items():
        rate = statistics.median(rounds)
        gain = median_ratio(rounds, rates["loop"])
        figures = {"frames_per_second": round(rate, 3), "over_loop": round(gain, 2)}
        print(json.dumps({**measured, "way": name, **figures, **machine}))
        table.add_row(name, f"{rate:.2f}", f"{gain:.2f}×")
    Console(stderr=True).print(table)


if __name__ == "__main__":
    main()
