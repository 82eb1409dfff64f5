from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from bentoml_img.arrays import Float32Array
from bentoml_img.drawing.segmentation import OPACITY
from bentoml_img.labels import VOC
from bentoml_img.offline import compare
from bentoml_img.offline.compare import GAP, ROUNDS, WIDTH, side_by_side, timed_masks
from bentoml_img.palettes import PALETTES
from bentoml_img.segment import Segmenter
from tests.samples import encode
from tests.segmenters import manifest_of

GREY = (128, 128, 128)


class Clock:
    now = 0.0


class OneClassEngine:
    """A network that sees one class everywhere, and takes so many seconds of the clock for it."""

    def __init__(self, label: str, seconds: Iterator[float]) -> None:
        self.label, self.seconds = label, seconds

    def __call__(self, batch: Float32Array) -> Float32Array:
        Clock.now += next(self.seconds)
        scores = np.zeros((1, len(VOC), 8, 8), np.float32)
        scores[:, VOC.index(self.label)] = 1
        return scores


def test_each_model_has_its_column_and_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "time", SimpleNamespace(perf_counter=lambda: Clock.now))
    photo = encode(Image.new("RGB", (96, 64), GREY))
    labels = ("car", "dog")
    segmenters = {
        label: Segmenter(
            manifest_of("lraspp_mobilenet_v3_large"),
            OneClassEngine(label, iter([9, seconds, 5, seconds])),
        )
        for label, seconds in zip(labels, (0.2, 0.05), strict=True)
    }
    assert ROUNDS == 3
    timed = timed_masks(photo, segmenters)
    assert [timed[label].segmentation.areas()[0].label for label in labels] == [*labels]
    assert [timed[label].milliseconds for label in labels] == pytest.approx([200, 50])
    pixels = np.asarray(side_by_side(photo, timed))
    colours = [PALETTES["voc"](VOC.index(label)) for label in labels]
    laid = [np.array(GREY) * (1 - OPACITY) + np.array(colour) * OPACITY for colour in colours]
    for column, expected in enumerate([np.array(GREY), *laid]):
        np.testing.assert_allclose(pixels[9, column * (WIDTH + GAP) + 9], expected, atol=2)
