"""Where the files of a data set lie: the layouts of PASCAL VOC and of COCO."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from bentoml_img.training.dataset import DatasetError


@dataclass(frozen=True)
class Sample:
    """The files of a photo and of its mask, whose pixels are VOC ids or 255 (ignored)."""

    image: Path
    mask: Path

    def load(self) -> tuple[Image.Image, Image.Image]:
        """The photo as RGB and the mask, of equal size."""
        with Image.open(self.image) as image, Image.open(self.mask) as mask:
            image.load()
            mask.load()
            return image.convert("RGB"), mask


def read_voc(root: Path, split: str) -> list[Sample]:
    """The samples of a split ("train", "val") of data laid out like PASCAL VOC 2012.

    `root` holds `VOCdevkit/VOC2012` or is it or one of its parents; a plain folder
    with `JPEGImages`, `SegmentationClass` and `<split>.txt` will do, too.
    """
    for folder in (root, root / "VOC2012", root / "VOCdevkit" / "VOC2012"):
        for listing in (
            folder / "ImageSets" / "Segmentation" / f"{split}.txt",
            folder / f"{split}.txt",
        ):
            if listing.is_file():
                return [
                    Sample(
                        folder / "JPEGImages" / f"{name}.jpg",
                        folder / "SegmentationClass" / f"{name}.png",
                    )
                    for name in listing.read_text().split()
                ]
    raise DatasetError(
        f"no VOC data in {root}: expected VOCdevkit/VOC2012 with "
        f"ImageSets/Segmentation/{split}.txt, or a folder with {split}.txt"
    )


def find_coco(root: Path, split: str) -> tuple[Path, Path]:
    """The folder with a split's photos and the file with their instances, as COCO has them."""
    for name in (f"{split}2017", split):
        annotation_file = root / "annotations" / f"instances_{name}.json"
        if annotation_file.is_file() and (root / name).is_dir():
            return root / name, annotation_file
    raise DatasetError(
        f"no COCO data in {root}: expected {split}2017/ and annotations/instances_{split}2017.json"
    )
