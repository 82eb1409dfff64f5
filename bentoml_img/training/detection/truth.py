"""The ground truth of the photos to evaluate a detector on, for COCO's API."""

import contextlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image
from pycocotools.coco import COCO

from bentoml_img.labels import COCO_CATEGORIES
from bentoml_img.training.errors import DatasetError
from bentoml_img.training.layouts import CocoPhoto, load_photo, read_coco_split, usable


@dataclass(frozen=True)
class Truth:
    """The photos of a split in COCO's layout, by their ids, and their annotations."""

    photos: Mapping[int, CocoPhoto]
    coco: COCO

    @property
    def image_ids(self) -> tuple[int, ...]:
        return tuple(self.photos)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes with at least one instance in these photos that is not a crowd."""
        annotations = self.coco.loadAnns(self.coco.getAnnIds(self.image_ids, iscrowd=False))
        there = {annotation["category_id"] for annotation in annotations}
        return tuple(name for k, name in COCO_CATEGORIES.items() if k in there)

    @classmethod
    def read(cls, root: Path, split: str, every: int = 1) -> "Truth":
        """Read one of `every` photos of a split; DatasetError if the data cannot be used."""
        split_read = read_coco_split(root, split)
        with silent(), usable(split_read.annotations):
            by_id = {photo.id: photo for photo in split_read.photos}
            photos = {k: by_id[k] for k in sorted(by_id)}
            coco = COCO()
            coco.dataset = _dataset(photos)
            coco.createIndex()
        if not cls(photos, coco).classes:
            raise DatasetError(f"{split_read.annotations} has no outline of any of COCO's classes")
        return cls(dict(islice(photos.items(), 0, None, every)), coco)

    def images(self) -> Iterator[tuple[int, Image.Image]]:
        """The photos with their ids, as RGB, upright; UnusableFile."""
        for image_id, photo in self.photos.items():
            yield image_id, load_photo(photo.path, (photo.width, photo.height))


def _dataset(photos: Mapping[int, CocoPhoto]) -> dict[str, Any]:
    """The data for pycocotools. Ids of instances begin with 1: it takes 0 for not found."""
    instances = [instance for photo in photos.values() for instance in photo.instances]
    return {
        "images": [{"id": k, "width": p.width, "height": p.height} for k, p in photos.items()],
        "annotations": [{**instance, "id": k} for k, instance in enumerate(instances, 1)],
        "categories": [],
    }


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Suppress what pycocotools prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
