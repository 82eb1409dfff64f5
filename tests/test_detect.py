import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask
from torchvision.models.detection import MaskRCNN
from torchvision.transforms.functional import to_tensor

from bentoml_img import zoo
from bentoml_img.arrays import Float32Array
from bentoml_img.detect import Detections, Detector, Query
from bentoml_img.engines.interface import DetectionEngine, RawDetections
from bentoml_img.engines.torch_maskrcnn import TorchMaskRcnn
from bentoml_img.labels import TRAFFIC
from bentoml_img.paths import ROOT
from bentoml_img.postprocessing.masks import paste
from tests.detectors import alike, lively_detector, manifest_of, noise, numpy_engine

DETECTORS = [name for name, entry in zoo.ZOO.items() if entry.task == "detection"]
PHOTO = ROOT / "images" / "street.jpg"
Make = Callable[[MaskRCNN], DetectionEngine]
ENGINES = [TorchMaskRcnn, numpy_engine]


def whole_masks(found: Detections) -> np.ndarray:
    masks = np.zeros((len(found), found.size[1], found.size[0]), np.bool_)
    for picture, mask in zip(masks, found.masks, strict=True):
        picture[mask.window] = mask.pixels
    return masks


def assert_same(found: Detections, expected: dict[str, torch.Tensor]) -> None:
    """Against what torchvision finds: those that are as good as each other come in any order."""
    boxes, labels, scores = (expected[key].numpy() for key in ("boxes", "labels", "scores"))
    distances = np.abs(found.boxes_xyxy[:, None] - boxes).max(axis=2)
    distances += 1000 * (found.labels[:, None] != labels)
    same = distances.argmin(axis=1)
    assert sorted(same.tolist()) == list(range(len(scores)))
    np.testing.assert_allclose(found.boxes_xyxy, boxes[same], atol=0.01)
    np.testing.assert_array_equal(found.labels, labels[same])
    np.testing.assert_allclose(found.scores, scores[same], atol=1e-4)
    filled = np.ones((28, 28), np.float32)
    there = alike(
        [mask.window for mask in found.masks],
        [paste(filled, box, found.size).window for box in boxes[same]],
    )
    ours, theirs = whole_masks(found)[there], expected["masks"][same, 0].numpy()[there] > 0.5
    for one, other in zip(ours, theirs, strict=True):
        assert (one & other).sum() >= 0.998 * (one | other).sum()


@pytest.mark.parametrize("name", DETECTORS)
def test_instances_are_those_of_torchvision(name: str) -> None:
    model = lively_detector(name)
    manifest = manifest_of(name)
    engines = TorchMaskRcnn(model), numpy_engine(model)
    in_torch, in_numpy = (Detector(manifest, engine) for engine in engines)
    seen = 0
    for image in (noise(75, 131), Image.open(PHOTO)):
        with torch.no_grad():
            (expected,) = model([to_tensor(image)])
        assert_same(in_torch([image], Query(score_threshold=0.05), duplicates=True)[0], expected)
        assert_same(in_numpy([image], Query(score_threshold=0.05), duplicates=True)[0], expected)
        seen += len(expected["scores"])
    assert seen > 30


class Fixed:
    """An engine that finds the same in every image: a car, its front, the same truck, a person."""

    def __call__(
        self, image: Float32Array, shape: tuple[int, int], score_threshold: float
    ) -> RawDetections:
        car, front = (15.185, 30, 75, 120), (18, 33, 45, 117)
        boxes = np.array([car, front, car, (0, 0, 45.75, 60)], np.float32)
        scores = np.array((0.91234, 0.8, 0.7, 0.5), np.float32)
        sure = scores >= score_threshold
        masks = np.ones((4, 28, 28), np.float32)
        return RawDetections(boxes[sure], np.array((3, 3, 6, 1))[sure], scores[sure], masks[sure])


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_asked_for_is_a_part_of_all_that_is_found(engine: Make) -> None:
    model = lively_detector("maskrcnn_lite")
    manifest = manifest_of("maskrcnn_lite")
    detector = Detector(manifest, engine(model))
    image = noise(160, 120)
    (everything,) = detector([image], Query(score_threshold=0.05))
    threshold = float(everything.scores[len(everything) // 2])
    (confident,) = detector([image], Query(score_threshold=threshold))
    assert len(confident) == (everything.scores >= threshold).sum() < len(everything)
    (few,) = detector([image], Query(score_threshold=0.05, max_instances=3))
    np.testing.assert_array_equal(few.scores, everything.scores[:3])
    label = int(everything.labels[0])
    (one_class,) = detector([image], Query(score_threshold=0.05, classes=(TRAFFIC[label],)))
    assert len(one_class) == (everything.labels == label).sum() < len(everything)
    np.testing.assert_array_equal(
        whole_masks(one_class), whole_masks(everything)[everything.labels == label]
    )
    (nothing,) = detector([image], Query(score_threshold=1.0))
    assert nothing.summary().instances == []


def test_one_thing_found_twice_is_one_thing() -> None:
    detector = Detector(manifest_of("maskrcnn_lite"), Fixed())

    def labels(*, duplicates: bool = False, **asked: Any) -> list[str]:
        (found,) = detector([noise(64, 96)], Query(**asked), duplicates=duplicates)
        return [TRAFFIC[label] for label in found.labels]

    assert labels() == ["car", "person"]
    assert labels(classes=("truck",)) == [], "it is the car, though only trucks are asked for"
    assert labels(max_instances=2) == ["car", "person"]
    assert labels(duplicates=True) == ["car", "car", "truck", "person"]
    assert labels(duplicates=True, classes=("truck", "person")) == ["truck", "person"]


def test_classes_are_asked_for_by_name() -> None:
    detector = Detector(manifest_of("maskrcnn_lite"), Fixed())
    for name in ("background", "zebra"):
        with pytest.raises(ValueError, match=f"no class '{name}': choose from person, bicycle"):
            detector.check_classes([name])
    coco = Detector(manifest_of("maskrcnn_resnet50_fpn"), Fixed())
    with pytest.raises(ValueError, match="no class 'N/A'"):
        coco.check_classes(["N/A"])
    for known in (None, ["car", "person"]):
        detector.check_classes(known)


def test_an_answer_is_json_with_masks_as_coco_has_them() -> None:
    """In the photo's pixels: its sides are two thirds of what the network sees."""
    (found,) = Detector(manifest_of("maskrcnn_lite"), Fixed())([noise(64, 96)])
    answer = json.loads(json.dumps(asdict(found.summary())))
    assert (answer["width"], answer["height"]) == (64, 96)
    car, person = answer["instances"]
    assert (car["label"], car["score"], car["box"]) == ("car", 0.9123, [10.12, 20, 50, 80])
    assert person["label"] == "person"
    pixels = coco_mask.decode(car["mask"])
    assert pixels.shape == (96, 64)
    np.testing.assert_array_equal(pixels, whole_masks(found)[0])


@pytest.mark.parametrize("engine", ENGINES)
def test_photos_of_any_shape_are_seen(engine: Make) -> None:
    model = lively_detector("maskrcnn_lite")
    manifest = manifest_of("maskrcnn_lite")
    detector = Detector(manifest, engine(model))
    for size in ((1, 1), (1, 2000), (2000, 1)):
        (found,) = detector([Image.new("RGB", size)])
        assert found.size == size


def test_a_sliver_seen_first_changes_nothing() -> None:
    model = lively_detector("maskrcnn_lite")
    manifest = manifest_of("maskrcnn_lite")
    image = noise(160, 120)
    (expected,) = Detector(manifest, numpy_engine(model))([image])
    _, found = Detector(manifest, TorchMaskRcnn(model))([Image.new("RGB", (300, 10)), image])
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
