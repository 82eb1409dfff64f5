"""Evaluates detectors on data sets."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bentoml_img.detect import SCORE_THRESHOLD, Detector, Query
from bentoml_img.training.detection.quality import Quality, mean, qualities, rows
from bentoml_img.training.detection.truth import Truth
from bentoml_img.training.figures import Figure, OnPhoto, unwatched

WATCHED = ("street", "coco")  # the data sets with val photos to evaluate on
METRICS = ("ap50", "ap", "precision", "recall")
RECORDED = "mask_ap50"  # what a bundle's manifest keeps


def evaluate(detector: Detector, data: Path, on_photo: OnPhoto = unwatched) -> Iterator[Figure]:
    """The figures of a detector on the val photos in DATA/street and DATA/coco; DatasetError."""
    yield from figures(detector, validation_sets(data), on_photo)


def validation_sets(data: Path) -> dict[str, Truth]:
    """The val photos in DATA/street and DATA/coco, by name; else DatasetError."""
    return {name: Truth.read(data / name, "val") for name in WATCHED}


def figures(
    detector: Detector, truths: Mapping[str, Truth], on_photo: OnPhoto = unwatched
) -> Iterator[Figure]:
    """The figures of a detector on each set of photos.

    The metrics of `Quality` for masks and boxes: of each class, and their means.
    """
    for dataset, measured in measure(detector, truths, on_photo):
        values = [
            (f"{quality.kind}_{metric}_{quality.label}", getattr(quality, metric), quality.n)
            for quality in measured
            for metric in METRICS
        ]
        for kind in ("mask", "box"):
            of_kind = [quality for quality in measured if quality.kind == kind]
            n = sum(quality.n for quality in of_kind)
            for metric in METRICS:
                average = mean([getattr(quality, metric) for quality in of_kind])
                values.append((f"{kind}_{metric}", average, n))
        for metric, value, n in values:
            yield Figure(detector.manifest.name, dataset, metric, round(value, 4), n)


def measure(
    detector: Detector, truths: Mapping[str, Truth], on_photo: OnPhoto = unwatched
) -> Iterator[tuple[str, list[Quality]]]:
    """The name of each set of photos, and the quality of masks and boxes for each class.

    Average precision is of all detections, whatever their score, duplicates included;
    precision and recall are of what a detector answers by default. Classes that are not in
    the truth, or that the detector does not know, are left out.
    """
    total = sum(len(truth.image_ids) for truth in truths.values())
    done = itertools.count(1)
    for dataset, truth in truths.items():
        classes = [name for name in truth.classes if name in detector.manifest.labels]
        labels = [detector.manifest.labels.index(name) for name in classes]
        everything: list[dict[str, Any]] = []
        shown: list[dict[str, Any]] = []
        for image_id, image in truth.images():
            (found,) = detector([image], Query(score_threshold=0), duplicates=True)
            everything += rows(found.only(labels), image_id)
            sure = found.at(np.flatnonzero(found.scores >= SCORE_THRESHOLD).tolist())
            shown += rows(sure.distinct().only(labels), image_id)
            on_photo(next(done), total)
        yield dataset, qualities(truth, everything, shown, classes)
