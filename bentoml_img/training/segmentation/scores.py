"""The figures of a bundle's segmenter, as it serves: one scale, no flips."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from bentoml_img.bundle import add_scores
from bentoml_img.images import open_image, upright_size
from bentoml_img.segment import Segmenter
from bentoml_img.training.figures import Figure, OnPhoto, watched
from bentoml_img.training.layouts import Sample, check_size, read_voc, reading
from bentoml_img.training.segmentation.data import class_shares, read_coco
from bentoml_img.training.segmentation.evaluation import Confusion, frequent_classes


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
    on_photo: OnPhoto = lambda: None,
) -> Iterator[Figure]:
    """What the segmenter reaches on each set of photos, one figure after another.

    The mIoU over all classes that the photos have, and over background and the
    classes that six or more of them have; the share of right pixels; the IoU of
    each class.
    """
    for dataset, samples in sets.items():
        confusion = Confusion()
        for sample in samples:
            count(confusion, segmenter, sample)
            on_photo()
        yield from _figures(segmenter, dataset, confusion, samples)


def watched_figures(segmenter: Segmenter, sets: Mapping[str, Sequence[Sample]]) -> Iterator[Figure]:
    """The segmenter's `figures`, with a bar that shows how many photos are done."""
    photos = sum(len(samples) for samples in sets.values())
    return watched(partial(figures, segmenter, sets), photos)


def record(bundle: Path, sets: Mapping[str, Sequence[Sample]]) -> None:
    """Measure a bundle's segmenter, and put its mIoUs into the bundle's manifest."""
    segmenter = Segmenter.from_bundle(bundle)
    scores = {
        figure.name: figure.value
        for figure in watched_figures(segmenter, sets)
        if figure.metric.startswith("miou")
    }
    add_scores(bundle, scores)


def count(confusion: Confusion, segmenter: Segmenter, sample: Sample) -> None:
    """Add a photo's pixels to a confusion matrix; UnusableFile."""
    mask = sample.load_mask()
    with reading(sample.image):
        photo = open_image(sample.image.read_bytes())
        size = upright_size(photo)
    check_size(sample.image, size, mask.size)
    answer = segmenter.segment_opened(photo)
    confusion.add(np.asarray(mask), answer.mask)


def _figures(
    segmenter: Segmenter, dataset: str, confusion: Confusion, samples: Sequence[Sample]
) -> Iterator[Figure]:
    frequent = frequent_classes(class_shares(samples))
    values = {
        "miou": confusion.mean_iou(),
        f"miou_{len(frequent)}_frequent_classes": confusion.mean_iou(frequent),
        "pixel_accuracy": float(confusion.counts.trace() / confusion.counts.sum()),
        **{
            f"iou_{name}": float(iou)
            for name, iou in zip(segmenter.manifest.labels, confusion.iou, strict=True)
            if np.isfinite(iou)
        },
    }
    for metric, value in values.items():
        yield Figure(segmenter.manifest.name, dataset, metric, round(value, 4), len(samples))
