"""Counts over time, as a picture. Needs matplotlib."""

import json
from collections import Counter
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bentoml_img.drawing.charts import save_chart


def plot_counts(tracks: Path, path: Path) -> None:
    """How many of each class are in the picture, from a file of tracks, as PNG."""
    times: list[float] = []
    counts: list[Counter[str]] = []
    with tracks.open() as lines:
        for line in lines:
            record = json.loads(line)
            times.append(record["time"])
            counts.append(Counter(instance["label"] for instance in record["instances"]))
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    axes = figure.add_subplot(xlabel="seconds", ylabel="in the picture")
    for label in sorted(set().union(*counts)):
        axes.step(times, [count[label] for count in counts], where="post", label=label)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
    save_chart(figure, path)
