"""How good the segmenters are on photos that are not in the repository, where these are at hand.

`BENTOML_IMG_DATA` names a folder with the data sets or their archives (see
`make eval`), `BENTOML_IMG_OFFICIAL_WEIGHTS` one with torchvision's .pth files.
"""

import os
from pathlib import Path

import click
import numpy as np
import pytest

from bentoml_img import zoo
from bentoml_img.images import read_rgb
from bentoml_img.paths import SHIPPED
from bentoml_img.segment import Segmenter
from bentoml_img.shelf import bundle_of
from bentoml_img.training.layouts import Sample
from bentoml_img.training.segmentation.evaluation import figures, validation_sets
from scripts.samples import FOLDER, scenes
from scripts.unpack import unpack

DATA = os.environ.get("BENTOML_IMG_DATA")
WEIGHTS = os.environ.get("BENTOML_IMG_OFFICIAL_WEIGHTS")
EVERY = 2  # photo of a set is looked at: fewer lack too many classes
OFFICIAL = [
    name for name, entry in zoo.ZOO.items() if entry.published and entry.task == "segmentation"
]


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Sample]]:
    if not DATA:
        pytest.skip("BENTOML_IMG_DATA is not set")
    folder = tmp_path_factory.mktemp("data")
    unpack(Path(DATA), folder)
    return validation_sets(folder, folder / "masks")


def mean_ious(segmenter: Segmenter, sets: dict[str, list[Sample]]) -> dict[str, float]:
    """The mIoU over all classes, of each set."""
    measured = figures(segmenter, sets)
    return {figure.dataset: figure.value for figure in measured if figure.metric == "miou"}


@pytest.mark.parametrize(
    ("name", "precision", "prefix"),
    [("deeplabv3_lite", "fp32", ""), ("deeplabv3_lite", "int8", "int8_"), ("fcn_lite", "fp32", "")],
)
def test_a_part_of_the_photos_gives_about_the_stated_figures(
    name: str, precision: str, prefix: str, sets: dict[str, list[Sample]]
) -> None:
    segmenter = Segmenter.from_bundle(SHIPPED / name, precision=precision)
    part = {dataset: samples[::EVERY] for dataset, samples in sets.items()}
    for dataset, value in mean_ious(segmenter, part).items():
        stated = segmenter.manifest.scores[f"{prefix}{dataset}_miou"]
        assert value == pytest.approx(stated, abs=0.05)


def test_int8_tells_nearly_the_same_of_the_sample_photos() -> None:
    bundle = SHIPPED / "deeplabv3_lite"
    fp32, int8 = (Segmenter.from_bundle(bundle, precision=it) for it in ("fp32", "int8"))
    photos = [read_rgb(FOLDER / scene) for scene in scenes()]
    equal = [np.mean(fp32([it])[0].mask == int8([it])[0].mask) for it in photos]
    assert np.mean(equal) > 0.98
    assert min(equal) < 1  # or both are one network


@pytest.mark.skipif(not WEIGHTS, reason="BENTOML_IMG_OFFICIAL_WEIGHTS is not set")
@pytest.mark.parametrize("name", OFFICIAL)
def test_official_weights_reach_what_is_published(
    name: str, sets: dict[str, list[Sample]], capsys: pytest.CaptureFixture[str]
) -> None:
    published = zoo.find(name).published
    assert published is not None
    assert WEIGHTS is not None
    bundle = bundle_of(name, Path(WEIGHTS) / published.file)
    miou = published.scores["coco_voc_miou"]
    measured = mean_ious(Segmenter.from_bundle(bundle), {"coco": sets["coco"]})["coco"]
    with capsys.disabled():
        photos = len(sets["coco"])
        click.echo(f"\n{name}: mIoU {measured:.3f} on {photos} photos, published {miou:.3f}")
    assert measured == pytest.approx(miou, abs=0.08)
