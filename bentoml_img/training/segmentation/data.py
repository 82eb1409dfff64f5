"""Masks of VOC classes: drawn from COCO's instances, and the shares of classes in them."""

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from bentoml_img.arrays import Float32Array, Float64Array, UInt8Array
from bentoml_img.labels import COCO_TO_VOC, VOC, VOC_IGNORE
from bentoml_img.system.atomic import replacing
from bentoml_img.training.figures import OnPhoto, unwatched
from bentoml_img.training.layouts import Sample, read_coco_split, usable


def read_coco(root: Path, split: str, cache: Path, on_photo: OnPhoto = unwatched) -> list[Sample]:
    """The samples of a split of data laid out like COCO, its instances painted as VOC classes.

    Masks are painted once, into a folder in `cache`, and reused as long as the annotation file
    does not change. DatasetError.
    """
    coco = read_coco_split(root, split)
    folder = cache / _version(coco.annotations)
    samples = []
    for i, photo in enumerate(coco.photos, 1):
        sample = Sample(photo.path, folder / f"{photo.path.relative_to(coco.folder)}.png")
        if not sample.mask.is_file():
            sample.mask.parent.mkdir(parents=True, exist_ok=True)
            with usable(coco.annotations):
                painted = paint(photo.instances, photo.height, photo.width)
            _write_png(painted, sample.mask)
        on_photo(i, len(coco.photos))
        samples.append(sample)
    return samples


def paint(instances: Iterable[dict[str, Any]], height: int, width: int) -> UInt8Array:
    """A mask of VOC ids (height, width) from COCO's annotations, which are `complete`.

    They are painted from the largest to the smallest, so that what lies upon
    something else stays visible; crowds are 255, other categories background.
    """
    mask = np.zeros((height, width), np.uint8)
    known = [instance for instance in instances if instance["category_id"] in COCO_TO_VOC]
    for instance in sorted(known, key=lambda instance: -instance["area"]):
        outline = instance["segmentation"]
        if isinstance(outline, list):
            outline = coco_mask.merge(coco_mask.frPyObjects(outline, height, width))
        colour = VOC_IGNORE if instance["iscrowd"] else COCO_TO_VOC[instance["category_id"]]
        mask[coco_mask.decode(outline).astype(bool)] = colour
    return mask


def class_shares(samples: Sequence[Sample]) -> Float32Array:
    """The share of each mask's pixels that each class has: shape (samples, classes)."""
    with ThreadPoolExecutor() as pool:
        return np.array(list(pool.map(_shares, samples)), np.float32).reshape(-1, len(VOC))


def _shares(sample: Sample) -> Float64Array:
    pixels = np.asarray(sample.load_mask()).ravel()
    return np.bincount(pixels, minlength=256)[: len(VOC)] / len(pixels)


def _version(annotations: Path) -> str:
    """A digest of a file's path, size and time: it changes when the file does."""
    status = annotations.stat()
    what = annotations.resolve(), status.st_size, status.st_mtime_ns
    return hashlib.sha256(repr(what).encode()).hexdigest()[:12]


def _write_png(mask: UInt8Array, path: Path) -> None:
    with replacing(path) as part:
        Image.fromarray(mask).save(part, "png")
