"""Photos with instances of the classes of TRAFFIC, from the layouts of COCO and PASCAL VOC."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask
from scipy import ndimage

from bentoml_img.arrays import BoolArray, Float64Array
from bentoml_img.labels import COCO_TO_TRAFFIC, TRAFFIC, VOC_TO_TRAFFIC
from bentoml_img.training.errors import DatasetError
from bentoml_img.training.layouts import Sample, load_photo, read_coco_split, read_voc, usable

Outline = Sequence[Float64Array] | Mapping[str, Any]
"""Polygons [x1, y1, x2, y2, …], or COCO's compressed run lengths."""

ANIMALS = ("dog", "cat", "horse", "sheep", "cow")
MIN_SHARE = 0.02  # of the photo: a smaller region is only a fragment
WHOLE = 0.97  # share of a class's pixels in its largest region, if it is one instance


@dataclass(frozen=True)
class Instance:
    """A thing: its id in TRAFFIC, its outline and box (left, top, right, bottom) in pixels.

    A crowd is several things without separate outlines; it is ignored.
    """

    label: int
    outline: Outline
    box: tuple[float, float, float, float]
    area: float
    crowd: bool = False


@dataclass(frozen=True)
class Scene:
    """A photo's file, its (width, height), and its instances."""

    image: Path
    size: tuple[int, int]
    instances: tuple[Instance, ...]

    def load(self) -> Image.Image:
        """The photo as RGB, upright; UnusableFile."""
        return load_photo(self.image, self.size)


def read_instances(root: Path, split: str) -> list[Scene]:
    """The photos of a split of data laid out like COCO.

    DatasetError if there are none, or nothing but crowds of the classes of TRAFFIC in any.
    """
    coco = read_coco_split(root, split)
    scenes = []
    with usable(coco.annotations):
        for photo in coco.photos:
            size = photo.width, photo.height
            instances = [
                _instance(annotation)
                for annotation in photo.instances
                if annotation["category_id"] in COCO_TO_TRAFFIC
            ]
            scenes.append(Scene(photo.path, size, tuple(instances)))
    instances = [instance for scene in scenes for instance in scene.instances]
    if all(instance.crowd for instance in instances):
        lacks = "no outlines of" if instances else "none of"
        classes = ", ".join(TRAFFIC[1:])
        raise DatasetError(f"{coco.annotations} has {lacks} the classes: {classes}")
    return scenes


def _instance(annotation: Mapping[str, Any]) -> Instance:
    left, top, w, h = annotation["bbox"]
    return Instance(
        COCO_TO_TRAFFIC[annotation["category_id"]],
        annotation["segmentation"],
        (left, top, left + w, top + h),
        annotation["area"],
        bool(annotation["iscrowd"]),
    )


def read_animals(root: Path, split: str) -> list[Scene]:
    """The photos of data laid out like VOC whose mask shows a single animal.

    A single animal is a class of ANIMALS in one connected region; two animals that touch count
    as one. Regions of other classes of TRAFFIC become crowds, since their number is unknown.
    DatasetError if there is no such photo.
    """
    with ThreadPoolExecutor() as pool:
        scenes = list(pool.map(_single_animal, read_voc(root, split)))
    if not any(scenes):
        raise DatasetError(f"no photo in {root} shows a single animal")
    return [scene for scene in scenes if scene]


def _single_animal(sample: Sample) -> Scene | None:
    mask = np.asarray(sample.load_mask())
    there = {VOC_TO_TRAFFIC[k]: mask == k for k in np.unique(mask) if k in VOC_TO_TRAFFIC}
    animals = [k for k in there if TRAFFIC[k] in ANIMALS]
    if len(animals) != 1:
        return None
    regions, _ = ndimage.label(there[animals[0]])
    counts = np.bincount(regions.ravel())[1:]
    if counts.max() < max(WHOLE * counts.sum(), MIN_SHARE * mask.size):
        return None
    instances = [
        from_mask(label, pixels, crowd=label != animals[0]) for label, pixels in there.items()
    ]
    return Scene(sample.image, (mask.shape[1], mask.shape[0]), tuple(instances))


def from_mask(label: int, pixels: BoolArray, *, crowd: bool = False) -> Instance:
    """An instance from a mask (height, width) that is not empty."""
    rows, columns = (np.flatnonzero(pixels.any(axis=axis)) for axis in (1, 0))
    box = float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
    outline = coco_mask.encode(np.asfortranarray(pixels, np.uint8))
    return Instance(label, outline, box, float(pixels.sum()), crowd)
