"""Reads data sets in the layouts of PASCAL VOC and COCO."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from bentoml_img.images import DECODER_ERRORS, read_rgb
from bentoml_img.labels import COCO_IDS, VOC, VOC_IGNORE
from bentoml_img.training.annotations import complete
from bentoml_img.training.errors import DatasetError, UnusableFile

MASK_IDS = {*range(len(VOC)), VOC_IGNORE}


@dataclass(frozen=True)
class Sample:
    """The files of a photo and of its mask, whose pixels are VOC ids or 255 (ignored)."""

    image: Path
    mask: Path

    def load(self) -> tuple[Image.Image, Image.Image]:
        """The photo as RGB, upright, and the mask, of equal size; UnusableFile."""
        mask = self.load_mask()
        return load_photo(self.image, mask.size), mask

    def load_mask(self) -> Image.Image:
        """The mask alone; UnusableFile, also if it has other ids."""
        with usable(self.mask), Image.open(self.mask) as mask:
            mask.load()
        if mask.mode not in ("P", "L"):
            raise UnusableFile(f"{self.mask} has no ids, one byte a pixel, but {mask.mode} pixels")
        for k, pixels in enumerate(mask.histogram()):
            if pixels and k not in MASK_IDS:
                raise UnusableFile(
                    f"{self.mask} has the id {k}: ids are to be VOC's, 0 to {len(VOC) - 1}, or "
                    f"{VOC_IGNORE}"
                )
        return mask


@dataclass(frozen=True)
class CocoPhoto:
    """A photo in COCO's layout: its id, file and size in pixels, its annotations, `complete`."""

    id: int
    path: Path
    width: int
    height: int
    instances: list[dict[str, Any]]


@dataclass(frozen=True)
class CocoSplit:
    """A split in COCO's layout: the folder of its photos, its annotation file, and its photos."""

    folder: Path
    annotations: Path
    photos: list[CocoPhoto]


@contextmanager
def usable(path: Path) -> Iterator[None]:
    """UnusableFile, which names the file, in place of the errors of missing or damaged files."""
    try:
        yield
    except DECODER_ERRORS as error:
        raise UnusableFile(f"{path} cannot be used: {type(error).__name__}: {error}") from error


def load_photo(path: Path, annotated: tuple[int, int]) -> Image.Image:
    """A photo as RGB, upright; UnusableFile, also if its size is not the annotated one."""
    with usable(path):
        photo = read_rgb(path)
    check_size(path, photo.size, annotated)
    return photo


def check_size(path: Path, size: tuple[int, int], annotated: tuple[int, int]) -> None:
    """UnusableFile if an upright photo has another (width, height) than its annotation or mask."""
    if size != annotated:
        (width, height), (other_width, other_height) = size, annotated
        raise UnusableFile(
            f"{path} has {width}×{height} pixels, and {other_width}×{other_height} are annotated"
        )


def read_voc(root: Path, split: str) -> list[Sample]:
    """The samples of a split ("train", "val") of data laid out like PASCAL VOC 2012.

    `root` is the folder `VOC2012`, or a folder that has it or `VOCdevkit/VOC2012`, or a plain
    folder with `JPEGImages`, `SegmentationClass` and `<split>.txt`.
    DatasetError if there are no samples.
    """
    for folder in (root, root / "VOC2012", root / "VOCdevkit" / "VOC2012"):
        for listing in (
            folder / "ImageSets" / "Segmentation" / f"{split}.txt",
            folder / f"{split}.txt",
        ):
            if listing.is_file():
                with usable(listing):
                    names = listing.read_text().split()
                if not names:
                    raise DatasetError(f"there are no photos in {listing}")
                return [
                    Sample(
                        folder / "JPEGImages" / f"{name}.jpg",
                        folder / "SegmentationClass" / f"{name}.png",
                    )
                    for name in names
                ]
    raise DatasetError(
        f"no VOC data in {root}: expected VOCdevkit/VOC2012 with "
        f"ImageSets/Segmentation/{split}.txt, or a folder with {split}.txt"
    )


def read_coco_split(root: Path, split: str) -> CocoSplit:
    """A split ("train", "val") of data laid out like COCO.

    The photos are in `root/train2017` (or `train`), their instances in
    `root/annotations/instances_train2017.json`. DatasetError if there are no photos, or if an
    annotation cannot be used.
    """
    folder, annotations = _find_coco(root, split)
    with usable(annotations):
        content = json.loads(annotations.read_text())
        instances = defaultdict(list)
        for annotation in content["annotations"]:
            instances[annotation["image_id"]].append(annotation)
        _check_categories(annotations, content)
        photos = [_coco_photo(folder, image, instances) for image in content["images"]]
    if not photos:
        raise DatasetError(f"there are no photos in {annotations}")
    return CocoSplit(folder, annotations, photos)


def _coco_photo(
    folder: Path, image: Mapping[str, Any], instances: Mapping[int, list[dict[str, Any]]]
) -> CocoPhoto:
    """A photo from its entry in the file; `instances` has all annotations, by image id."""
    width, height = image["width"], image["height"]
    mine = instances[image["id"]]
    for annotation in mine:
        complete(annotation, width, height)
    return CocoPhoto(image["id"], folder / image["file_name"], width, height, mine)


def _check_categories(annotations: Path, content: Mapping[str, Any]) -> None:
    """UnusableFile if a category with one of COCO's names has another id than in COCO."""
    for category in content.get("categories", []):
        name, k = category.get("name", ""), category["id"]
        if (expected := COCO_IDS.get(name, k)) != k:
            raise UnusableFile(
                f"{annotations} has {name} as category {k}: ids are to be COCO's, {expected} here"
            )


def _find_coco(root: Path, split: str) -> tuple[Path, Path]:
    """The folder of a split's photos, and its annotation file; DatasetError if one is missing."""
    for name in (f"{split}2017", split):
        annotation_file = root / "annotations" / f"instances_{name}.json"
        if annotation_file.is_file() and (root / name).is_dir():
            return root / name, annotation_file
    raise DatasetError(
        f"no COCO data in {root}: expected {split}2017/ and annotations/instances_{split}2017.json"
    )
