from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bentoml_img.arrays import Float32Array
from bentoml_img.labels import VOC
from bentoml_img.segment import Segmenter
from bentoml_img.training.errors import UnusableFile
from bentoml_img.training.layouts import Sample
from bentoml_img.training.segmentation.evaluation import figures, measure
from tests.segmenters import manifest_of


def bright_and_blind(batch: Float32Array) -> Float32Array:
    """An engine of two networks: one sees class 1 where a photo is bright, one sees nothing."""
    _, _, height, width = batch.shape
    cells = batch[0, 0].reshape(height // 16, 16, width // 16, 16).mean(axis=(1, 3))
    scores = np.full((2, len(VOC), *cells.shape), -9, np.float32)
    scores[:, 0] = 0
    scores[0, 1] = cells
    return scores


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    """A photo whose right half is bright, and of class 1."""
    half = 50, 0, 100, 62
    photo, mask = Image.new("RGB", (100, 62)), Image.new("L", (100, 62))
    photo.paste((255, 255, 255), half)
    mask.paste(1, half)
    sample = Sample(tmp_path / "photo.png", tmp_path / "mask.png")
    photo.save(sample.image)
    mask.save(sample.mask)
    return sample


def test_each_network_is_counted_on_each_set(sample: Sample) -> None:
    segmenter = Segmenter(manifest_of("fcn_lite", side=128), bright_and_blind)
    photos: list[tuple[int, int]] = []
    measured = dict(
        measure(
            segmenter,
            ["bright", "blind"],
            {"one": [sample], "two": [sample, sample]},
            lambda done, total: photos.append((done, total)),
        )
    )
    assert photos == [(1, 3), (2, 3), (3, 3)]
    for n, confusions in enumerate(measured.values(), 1):
        bright, blind = confusions["bright"], confusions["blind"]
        assert bright.counts.sum() == blind.counts.sum() == n * 100 * 62
        assert bright.mean_iou() > 0.9
        assert blind.mean_iou() == 0.25
    assert list(measured) == ["one", "two"]


def test_figures_of_a_set(sample: Sample) -> None:
    segmenter = Segmenter(manifest_of("fcn_lite", side=128), lambda it: bright_and_blind(it)[1:])
    values = {
        figure.name: (figure.value, figure.n) for figure in figures(segmenter, {"a": [sample]})
    }
    assert values == {
        "a_miou": (0.25, 1),
        "a_miou_1_frequent_classes": (0.5, 1),
        "a_pixel_accuracy": (0.5, 1),
        "a_iou_background": (0.5, 1),
        f"a_iou_{VOC[1]}": (0, 1),
    }


def test_a_damaged_photo_is_named(sample: Sample) -> None:
    segmenter = Segmenter(manifest_of("fcn_lite", side=128), bright_and_blind)
    sample.image.write_bytes(sample.image.read_bytes()[:-40])
    with pytest.raises(UnusableFile, match=r"photo\.png cannot be used: DamagedImage"):
        list(measure(segmenter, ["bright", "blind"], {"one": [sample]}))
