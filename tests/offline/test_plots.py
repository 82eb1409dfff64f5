import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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
