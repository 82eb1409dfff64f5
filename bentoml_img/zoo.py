"""Every model that can be chosen."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from bentoml_img.bundle import BundleError, Manifest
from bentoml_img.labels import CIFAR10, COCO, TRAFFIC, VOC
from bentoml_img.transforms import (
    LITE,
    LITE_PYRAMID,
    LITE_SQUARE,
    PYRAMID,
    TORCHVISION,
    Transform,
)

if TYPE_CHECKING:
    from torch import nn

PUBLISHED_LICENSE = "BSD-3-Clause"  # torchvision's; it says that the data's terms may apply, too


@dataclass(frozen=True)
class Published:
    """Weights that torchvision publishes, and what it says of them.

    `file` carries the first digits of its SHA-256; `scores` are on COCO val2017,
    between 0 and 1: `coco_voc_miou` with VOC's classes, `coco_box_map` and
    `coco_mask_map` with all of COCO's. `gflops` are 10⁹ multiply-adds of
    a square photo; they and `parameters` include those of an auxiliary head that is for
    training only.
    """

    file: str
    scores: Mapping[str, float]
    parameters: int
    gflops: float
    megabytes: float
    trained_on: str


@dataclass(frozen=True)
class Entry:
    """A model: what it is for, where its module is (`module:function`, imported when built),
    what it takes, and its weights where others publish them.
    """

    name: str
    task: str
    labels: tuple[str, ...]
    module: str
    transform: Transform
    published: Published | None = None

    def manifest(self, **others: Any) -> Manifest:
        """What the model's bundle says of it; `others` are what is not known here."""
        return Manifest(
            name=self.name,
            task=self.task,
            labels=self.labels,
            input_size=self.transform.input_size,
            stride=self.transform.stride,
            mean=self.transform.mean,
            std=self.transform.std,
            **others,
        )


def _official(
    task: str, labels: tuple[str, ...], transform: Transform, published: Published
) -> Entry:
    name = published.file.removesuffix(".pth").rpartition("-")[0].removesuffix("_coco")
    module = f"bentoml_img.models.official:{name}"
    return Entry(name, task, labels, module, transform, published)


def _segmenter(file: str, miou: float, parameters: int, gflops: float, megabytes: float) -> Entry:
    trained_on = "the photos of COCO train2017 that show VOC's classes, by torchvision"
    scores = {"coco_voc_miou": miou}
    published = Published(file, scores, parameters, gflops, megabytes, trained_on)
    return _official("segmentation", VOC, TORCHVISION, published)


def _detector(
    file: str, maps: tuple[float, float], parameters: int, gflops: float, megabytes: float
) -> Entry:
    trained_on = "COCO train2017, by torchvision"
    scores = dict(zip(("coco_box_map", "coco_mask_map"), maps, strict=True))
    published = Published(file, scores, parameters, gflops, megabytes, trained_on)
    return _official("detection", COCO, PYRAMID, published)


def _lite(name: str) -> Entry:
    return Entry(name, "segmentation", VOC, f"bentoml_img.models.segmenters:{name}", LITE)


ZOO = {
    entry.name: entry
    for entry in (
        Entry(
            "cifar_lite",
            "classification",
            CIFAR10,
            "bentoml_img.models.classifiers:cifar_lite",
            LITE_SQUARE,
        ),
        _lite("deeplabv3_lite"),
        _lite("fcn_lite"),
        _segmenter("deeplabv3_resnet101_coco-586e9e4e.pth", 0.674, 60_996_202, 258.743, 233.217),
        _segmenter("fcn_resnet101_coco-7ecb50ca.pth", 0.637, 54_314_346, 232.738, 207.711),
        _segmenter("deeplabv3_resnet50_coco-cd0a2569.pth", 0.664, 42_004_074, 178.722, 160.515),
        _segmenter("fcn_resnet50_coco-1167a1af.pth", 0.605, 35_322_218, 152.717, 135.009),
        _segmenter("deeplabv3_mobilenet_v3_large-fc3c493d.pth", 0.603, 11_029_328, 10.452, 42.301),
        _segmenter("lraspp_mobilenet_v3_large-d234d4ea.pth", 0.579, 3_221_538, 2.086, 12.49),
        Entry(
            "maskrcnn_lite",
            "detection",
            TRAFFIC,
            "bentoml_img.models.detectors:maskrcnn_lite",
            LITE_PYRAMID,
        ),
        _detector(
            "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth", (0.379, 0.346), 44_401_393, 134.38, 169.84
        ),
        _detector(
            "maskrcnn_resnet50_fpn_v2_coco-73cbd019.pth",
            (0.474, 0.418),
            46_359_409,
            333.577,
            177.219,
        ),
    )
}


def names_of(task: str) -> tuple[str, ...]:
    """The models for a task."""
    return tuple(entry.name for entry in ZOO.values() if entry.task == task)


def find(name: str) -> Entry:
    """The entry of that name; BundleError if there is none."""
    if name not in ZOO:
        raise BundleError(f"no model {name!r}: choose one of {', '.join(sorted(ZOO))}")
    return ZOO[name]


def build(name: str) -> "nn.Module":
    """A model's module, with random weights; BundleError if no model has that name."""
    module, _, attribute = find(name).module.partition(":")
    network: nn.Module = getattr(import_module(module), attribute)()
    return network
