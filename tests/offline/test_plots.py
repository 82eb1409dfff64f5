import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from bentoml_img.offline import plots
from bentoml_img.offline.plots import plot_counts


@pytest.mark.parametrize("labels", [["car", "car", "person"], []])
def test_counts_over_time(tmp_path: Path, labels: list[str]) -> None:
    tracks = tmp_path / "tracks.jsonl"
    instances = [{"label": label} for label in labels]
    tracks.write_text(
        "".join(json.dumps({"time": k / 10, "instances": instances[:k]}) + "\n" for k in range(5))
    )
    plot_counts(tracks, tmp_path / "counts.png")
    with Image.open(tmp_path / "counts.png") as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    coloured = pixels[np.ptp(pixels.astype(int), axis=1) > 60]
    hues = {tuple((pixel // 64).tolist()) for pixel in coloured[::7]}
    assert (len(hues) > 1) == bool(labels)


def test_a_plot_of_a_long_video_takes_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: dict[str, list[int]] = {}
    peak = 0

    def save(figure: Figure, path: Path) -> None:
        nonlocal peak
        _, peak = tracemalloc.get_traced_memory()
        for line in figure.axes[0].lines:
            shown[str(line.get_label())] = np.asarray(line.get_ydata()).tolist()
            assert line.get_drawstyle() == "steps-post", "a count is from its frame on"

    monkeypatch.setattr(plots, "save_chart", save)
    frames = 50_000
    with (tmp_path / "tracks.jsonl").open("w") as tracks:
        for k in range(frames):
            labels = ["car"] * (k % 3) + ["bus"] * (k == 7)
            record = {"time": k / 10, "instances": [{"label": label} for label in labels]}
            tracks.write(json.dumps(record) + "\n")
    tracemalloc.start()
    try:
        plot_counts(tmp_path / "tracks.jsonl", tmp_path / "counts.png")
    finally:
        tracemalloc.stop()
    assert shown == {
        "bus": [int(k == 7) for k in range(frames)],
        "car": [k % 3 for k in range(frames)],
    }
    assert peak / frames < 280, "bytes"
