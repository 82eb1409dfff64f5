from typing import Any

import pytest
import torch
from torchvision.models import get_model_weights

from bentoml_img import zoo
from bentoml_img.bundle import BundleError
from bentoml_img.models import efficientnet_lite
from bentoml_img.published.fetch import OFFICIAL_URL
from bentoml_img.published.weights import digest_in_name
from bentoml_img.transforms import Transform

OFFICIAL = [name for name, entry in zoo.ZOO.items() if entry.published]


def test_the_six_segmenters_and_two_detectors_of_torchvision_are_there() -> None:
    tasks = [zoo.find(name).task for name in OFFICIAL]
    assert (tasks.count("segmentation"), tasks.count("detection")) == (6, 2)


@pytest.mark.parametrize("name", OFFICIAL)
def test_what_is_said_of_published_weights_is_what_torchvision_says(name: str) -> None:
    entry = zoo.find(name)
    detects = entry.task == "detection"
    weights = get_model_weights(name)["COCO_V1" if detects else "COCO_WITH_VOC_LABELS_V1"]
    published = entry.published
    assert published is not None
    assert OFFICIAL_URL + published.file == weights.url
    assert len(digest_in_name(published.file)) == 8
    meta = weights.meta
    assert entry.labels[1:] == tuple(meta["categories"][1:])
    assert published.parameters == meta["num_params"]
    assert published.gflops == meta["_ops"]
    assert published.megabytes == meta["_file_size"]
    metrics = meta["_metrics"]["COCO-val2017" if detects else "COCO-val2017-VOC-labels"]
    kept = {"miou": "coco_voc_miou", "box_map": "coco_box_map", "mask_map": "coco_mask_map"}
    assert published.scores == {
        kept[name]: pytest.approx(value / 100) for name, value in metrics.items() if name in kept
    }


@pytest.mark.parametrize("name", OFFICIAL)
def test_photos_are_transformed_as_torchvision_does(name: str) -> None:
    entry = zoo.find(name)
    transform = entry.transform
    if entry.task == "detection":
        assert_as_in_module(transform, zoo.build(name))
    else:
        preset = get_model_weights(name)["COCO_WITH_VOC_LABELS_V1"].transforms()
        assert list(transform.input_size) == preset.resize_size
        assert (list(transform.mean), list(transform.std)) == (preset.mean, preset.std)
        assert transform.stride == 1


def assert_as_in_module(transform: Transform, detector: torch.nn.Module) -> None:
    inside: Any = detector.get_submodule("transform")
    assert transform.input_size == (*inside.min_size, inside.max_size)
    assert list(transform.mean) == list(inside.image_mean)
    assert list(transform.std) == list(inside.image_std)
    assert transform.stride == inside.size_divisible


def test_the_light_models_take_what_their_backbone_does() -> None:
    for name in ("deeplabv3_lite", "fcn_lite"):
        transform = zoo.find(name).transform
        assert transform.stride == efficientnet_lite.OUTPUT_STRIDE
        assert transform.input_size[0] % transform.stride == 0


def test_the_light_detector_takes_what_its_backbone_does() -> None:
    transform = zoo.find("maskrcnn_lite").transform
    assert_as_in_module(transform, zoo.build("maskrcnn_lite"))


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(BundleError, match=r"no model 'unet': choose one of .*deeplabv3_lite"):
        zoo.build("unet")


@pytest.mark.parametrize("name", ["cifar_lite", "lraspp_mobilenet_v3_large"])
def test_a_model_is_built(name: str) -> None:
    with torch.no_grad():
        scores = zoo.build(name).eval()(torch.zeros(1, 3, 32, 32))
    assert scores.shape[:2] == (1, len(zoo.find(name).labels))
