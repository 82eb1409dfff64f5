"""How a photo should be brought to the classifier's square: squashed, cropped or padded.

`python -m benchmarks.framing VOC2012 …` takes folders with `JPEGImages` and
`SegmentationClass` as PASCAL VOC has them. A photo counts where one class that
CIFAR-10 also has covers an eighth of it or more, and people and its other
classes hardly any; at most 60 a class, drawn with a fixed seed. Prints one JSON
object for each way and filter, with the accuracy over all photos and the mean
over the classes.
"""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import click
import numpy as np
from PIL import Image

from bentoml_img.classify import Classifier
from bentoml_img.cli.options import FOLDER
from bentoml_img.labels import CIFAR10, VOC, VOC_IGNORE, VOC_TO_CIFAR10
from bentoml_img.paths import SHIPPED

MOST = 60


def find_photos(folders: Iterable[Path]) -> list[tuple[Path, str]]:
    """Photos with one class, and its CIFAR-10 label."""
    shared = {VOC.index(name): label for name, label in VOC_TO_CIFAR10.items()}
    person = VOC.index("person")
    photos: dict[str, list[Path]] = defaultdict(list)
    for folder in folders:
        for mask in sorted((folder / "SegmentationClass").glob("*.png")):
            ids = np.asarray(Image.open(mask))
            share = np.bincount(ids[ids != VOC_IGNORE], minlength=len(VOC)) / ids.size
            main = max(shared, key=lambda i: share[i])
            others = sum(share[i] for i in shared if i != main)
            if share[main] >= 1 / 8 and share[person] < 0.03 and others < 0.02:
                photos[shared[main]].append(folder / "JPEGImages" / f"{mask.stem}.jpg")
    chosen = random.Random(0)
    return [
        (path, label)
        for label, paths in sorted(photos.items())
        for path in chosen.sample(paths, min(MOST, len(paths)))
    ]


def squash(image: Image.Image) -> Image.Image:
    return image


def crop(image: Image.Image) -> Image.Image:
    """The largest square in the middle."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def pad(image: Image.Image) -> Image.Image:
    """The photo in the middle of a square of its mean colour."""
    side = max(image.size)
    colour = tuple(int(c) for c in np.asarray(image).mean(axis=(0, 1)))
    square = Image.new("RGB", (side, side), colour)
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


WAYS: tuple[Callable[[Image.Image], Image.Image], ...] = (squash, crop, pad)
FILTERS = (Image.Resampling.BOX, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


@click.command()
@click.argument(
    "folders",
    nargs=-1,
    required=True,
    type=FOLDER,
)
def main(folders: tuple[Path, ...]) -> None:
    """Compare ways to bring a photo to the classifier's square, on FOLDERS of photos and masks."""
    classifier = Classifier.from_bundle(SHIPPED / "cifar_lite")
    photos = find_photos(folders)
    if not photos:
        raise click.ClickException(f"no photos to measure in {', '.join(map(str, folders))}")
    images = [Image.open(path).convert("RGB") for path, _ in photos]
    truth = np.array([CIFAR10.index(label) for _, label in photos])
    height, width = classifier.manifest.input_size
    for way in WAYS:
        for resampling in FILTERS:
            answers = classifier([way(i).resize((width, height), resampling) for i in images])
            right = np.array([CIFAR10.index(a.label) for a in answers]) == truth
            classes = [right[truth == c].mean() for c in np.unique(truth)]
            figure = {
                "way": way.__name__,
                "filter": resampling.name.lower(),
                "accuracy": round(float(right.mean()), 4),
                "class_mean": round(float(np.mean(classes)), 4),
                "n": len(truth),
            }
            click.echo(json.dumps(figure))


if __name__ == "__main__":
    main()
