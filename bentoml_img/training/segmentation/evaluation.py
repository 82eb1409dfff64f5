"""Evaluates segmenters: mean intersection over union.

There is one confusion matrix for all photos, at the size they are stored in. Pixels of 255 and
classes that the truth does not have are left out. One scale, no flips.
"""

import itertools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from bentoml_img.images import open_image, upright_size
from bentoml_img.segment import Segmenter
from bentoml_img.training.figures import Figure, OnPhoto, unwatched
from bentoml_img.training.layouts import Sample, check_size, read_voc, usable
from bentoml_img.training.segmentation.confusion import Confusion, frequent_classes
from bentoml_img.training.segmentation.data import class_shares, read_coco

RECORDED = "miou"  # what a bundle's manifest keeps


def evaluate(segmenter: Segmenter, data: Path, on_photo: OnPhoto = unwatched) -> Iterator[Figure]:
    """The figures of a segmenter on the val sets in DATA/coco and DATA/VOCdevkit; DatasetError."""
    with tempfile.TemporaryDirectory() as masks:
        yield from figures(segmenter, validation_sets(data, Path(masks)), on_photo)


def validation_sets(data: Path, masks: Path) -> dict[str, list[Sample]]:
    """The validation splits in DATA/coco and DATA/VOCdevkit, by name; else DatasetError.

    COCO's instances are painted into the folder `masks`.
    """
    return {
        "coco": read_coco(data / "coco", "val", masks),
        "voc": read_voc(data, "val"),
    }


def figures(
    segmenter: Segmenter,
    sets: Mapping[str, Sequence[Sample]],
    on_photo: OnPhoto = unwatched,
) -> Iterator[Figure]:
    """The figures of a segmenter on each set of photos.

    The mIoU over all classes in the photos, and over background and the classes in six or
    more of them; the share of correct pixels; the IoU of each class.
    """
    name, labels = segmenter.manifest.name, segmenter.manifest.labels
    for dataset, confusions in measure(segmenter, [name], sets, on_photo):
        confusion, n = confusions[name], len(sets[dataset])
        frequent = frequent_classes(class_shares(sets[dataset]))
        values = {
            "miou": confusion.mean_iou(),
            f"miou_{len(frequent)}_frequent_classes": confusion.mean_iou(frequent),
            "pixel_accuracy": confusion.pixel_accuracy,
            **{
                f"iou_{label}": float(iou)
                for label, iou in zip(labels, confusion.iou, strict=True)
                if np.isfinite(iou)
            },
        }
        for metric, value in values.items():
            yield Figure(name, dataset, metric, round(value, 4), n)


def measure(
    segmenter: Segmenter,
    networks: Sequence[str],
    sets: Mapping[str, Sequence[Sample]],
    on_photo: OnPhoto = unwatched,
) -> Iterator[tuple[str, dict[str, Confusion]]]:
    """The name of each set of photos, and the confusion matrix of each network over it.

    The segmenter's engine returns the scores of all `networks` for one image: shape
    (networks, classes, h, w). UnusableFile.
    """
    total, done = sum(map(len, sets.values())), itertools.count(1)
    for dataset, samples in sets.items():
        confusions = {name: Confusion() for name in networks}
        for sample in samples:
            mask = sample.load_mask()
            with usable(sample.image):
                photo = open_image(sample.image.read_bytes())
                check_size(sample.image, upright_size(photo), mask.size)
                pixels, size = segmenter.prepare(photo)
            outputs = segmenter.engine(pixels[None])
            for confusion, scores in zip(confusions.values(), outputs, strict=True):
                confusion.add(np.asarray(mask), segmenter.segmentation(scores, size).mask)
            on_photo(next(done), total)
        yield dataset, confusions
