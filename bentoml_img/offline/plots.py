"""Counts over time, as a picture. Needs matplotlib."""

import json
from array import array
from collections import Counter
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bentoml_img.drawing.charts import save_chart


def plot_counts(tracks: Path, path: Path) -> None:
    """How many of each class are in the picture, from a file of tracks, as PNG."""
    times, counts = _read(tracks)
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    axes = figure.add_subplot(xlabel="seconds", ylabel="in the picture")
    for label, numbers in sorted(counts.items()):
        axes.step(times, numbers, where="post", label=label)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
    save_chart(figure, path)


def _read(tracks: Path) -> tuple["array[float]", dict[str, "array[int]"]]:
    """When each frame is, and how many of each class are in it: a few bytes a frame."""
    times = array("d")
    counts: dict[str, array[int]] = {}
    with tracks.open() as lines:
        for line in lines:
            record = json.loads(line)
            found = Counter(instance["label"] for instance in record["instances"])
            for label in found.keys() - counts.keys():
                counts[label] = array("H", [0]) * len(times)
            for label, numbers in counts.items():
                numbers.append(found[label])
            times.append(record["time"])
    return times, counts
