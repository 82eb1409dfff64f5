"""What is true of the photos that a detector is measured on, as COCO's API has it."""

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from pycocotools.coco import COCO

from bentoml_img.labels import COCO_CATEGORIES
from bentoml_img.training.annotations import complete
from bentoml_img.training.errors import DatasetError
from bentoml_img.training.layouts import check_categories, find_coco, load_photo, reading


@dataclass(frozen=True)
class Truth:
    """The photos of a split in COCO's layout and what is in them."""

    photos: Path
    coco: COCO
    image_ids: tuple[int, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of which these photos show at least one instance that is no crowd."""
        annotations = self.coco.loadAnns(self.coco.getAnnIds(self.image_ids, iscrowd=False))
        there = {annotation["category_id"] for annotation in annotations}
        return tuple(name for k, name in COCO_CATEGORIES.items() if k in there)

    @classmethod
    def read(cls, root: Path, split: str, every: int = 1) -> "Truth":
        """Of every so many photos one; DatasetError if the data cannot be used."""
        folder, annotations = find_coco(root, split)
        coco = COCO()
        with silent(), reading(annotations):
            content = json.loads(annotations.read_text())
            for i, annotation in enumerate(content["annotations"], 1):
                complete(annotation)
                annotation["id"] = i  # to pycocotools an instance of id 0 is one never found
            check_categories(annotations, content)
            coco.dataset = {"categories": [], **content}
            coco.createIndex()
        if not coco.imgs:
            raise DatasetError(f"there are no photos in {annotations}")
        return cls(folder, coco, tuple(sorted(coco.imgs)[::every]))

    def images(self) -> Iterator[tuple[int, Image.Image]]:
        """The photos with their ids, as RGB, upright; UnusableFile."""
        for image_id in self.image_ids:
            image = self.coco.imgs[image_id]
            size = image["width"], image["height"]
            yield image_id, load_photo(self.photos / image["file_name"], size)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """pycocotools prints as it works."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
