import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bentoml_img.arrays import Float32Array
from bentoml_img.engines.interface import RawDetections
from bentoml_img.labels import TRAFFIC
from tests.video.clips import NAMES, ColourDetector

FRAMES = 40  # of the clip
SUFFIXES = (".mp4", ".tracks.jsonl", ".events.csv", ".summary.json")


class Colours:
    """An engine, of an `AsIs`, that finds the shapes of `tests.video.clips`.

    The red cars with less certainty.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.interrupt_at = 0

    def __call__(
        self, image: Float32Array, shape: tuple[int, int], score_threshold: float
    ) -> RawDetections:
        self.calls += 1
        if self.calls == self.interrupt_at:
            raise KeyboardInterrupt
        photo = Image.fromarray(np.moveaxis(image[0], 0, 2).astype(np.uint8))
        (found,) = ColourDetector()([photo])
        labels = np.array([TRAFFIC.index(NAMES[k]) for k in found.labels], np.int64)
        scores = np.array([0.6, 0.9, 0.8][: len(labels)], np.float32)
        chosen = scores >= score_threshold
        n = int(chosen.sum())
        masks = np.ones((n, 28, 28), np.float32)
        return RawDetections(found.boxes_xyxy[chosen], labels[chosen], scores[chosen], masks)


def summary_of(stem: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(stem.with_suffix(".summary.json").read_text())
    return content
