"""Small synthetic photos whose masks are known: a red animal on dark ground."""

from pathlib import Path

import numpy as np
from PIL import Image

from bentoml_img.training.layouts import Sample

CLASSES = (8, 12, 15)


def scene(rng: np.random.Generator, class_id: int = 12) -> tuple[Image.Image, Image.Image]:
    """A photo (80 pixels wide, 60 high) with a rectangle of a class, and its mask."""
    left, top = rng.integers(5, 30, 2)
    pixels = np.zeros((60, 80, 3), np.uint8)
    mask = np.zeros((60, 80), np.uint8)
    where = slice(top, top + 25), slice(left, left + 35)
    pixels[where] = (255, 20 * class_id % 256, 0)
    mask[where] = class_id
    return Image.fromarray(pixels), Image.fromarray(mask)


def write_scenes(root: Path, n: int, split: str = "train") -> list[Sample]:
    """Scenes as a plain VOC folder; the samples that they should be read as."""
    samples = []
    rng = np.random.default_rng(0)
    for i in range(n):
        name = f"{split}_{i}"
        sample = Sample(
            root / "JPEGImages" / f"{name}.jpg", root / "SegmentationClass" / f"{name}.png"
        )
        photo, mask = scene(rng, CLASSES[i % len(CLASSES)])
        for path, picture in ((sample.image, photo), (sample.mask, mask)):
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)
        samples.append(sample)
    (root / f"{split}.txt").write_text("".join(f"{sample.image.stem}\n" for sample in samples))
    return samples
