"""How good a detector is, by COCO's own evaluation."""

import contextlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bentoml_img.bundle import add_scores
from bentoml_img.detect import SCORE_THRESHOLD, Detections, Detector, Query
from bentoml_img.labels import COCO_CATEGORIES, COCO_IDS
from bentoml_img.training.annotations import complete
from bentoml_img.training.errors import DatasetError
from bentoml_img.training.figures import Figure, OnPhoto, watched
from bentoml_img.training.layouts import check_categories, find_coco, load_photo, reading

WATCHED = ("street", "coco")  # the data sets whose val photos are looked at
METRICS = ("ap50", "ap", "precision", "recall")
ALL_SIZES = [0, 1e10]  # square pixels


@dataclass(frozen=True)
class Quality:
    """How good the masks ("mask") or boxes ("box") of a class are: it has `n` true instances.

    Of the instances that one is shown `precision` is the part that is right,
    `recall` the part of the true ones that are among them.
    """

    label: str
    kind: str
    ap50: float
    ap: float
    precision: float
    recall: float
    n: int


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
        with _silent(), reading(annotations):
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


def evaluate(detector: Detector, truth: Truth, on_photo: OnPhoto = lambda: None) -> list[Quality]:
    """How good masks and boxes are for each class: 100 detections a photo, all sizes.

    `ap50`, average precision, asks for an overlap of one half, `ap` is the mean over
    ten overlaps from 0.5 to 0.95: of all that the network finds, however unsure,
    twice or not. `precision` and `recall` are of what a detector answers unless
    asked otherwise, for an overlap of one half. Crowds count neither way. Classes
    that the truth has none of are left out, and so are those that the detector does
    not know.
    """
    classes = [name for name in truth.classes if name in detector.manifest.labels]
    results: list[dict[str, Any]] = []
    shown: list[dict[str, Any]] = []
    labels = [detector.manifest.labels.index(name) for name in classes]
    for image_id, image in truth.images():
        (found,) = detector([image], Query(score_threshold=0), duplicates=True)
        results += rows(found.only(labels), image_id)
        sure = found.at(np.flatnonzero(found.scores >= SCORE_THRESHOLD).tolist())
        shown += rows(sure.distinct().only(labels), image_id)
        on_photo()
    measured = []
    for kind, iou_type in (("mask", "segm"), ("box", "bbox")):
        whole, part = (
            _compare(truth, some, [COCO_IDS[name] for name in classes], iou_type)
            for some in (results, shown)
        )
        for name in classes:
            n = len(truth.coco.getAnnIds(truth.image_ids, COCO_IDS[name], iscrowd=False))
            curves = _curves(whole, COCO_IDS[name])
            answers, right = _hits(part, COCO_IDS[name])
            measured.append(
                Quality(
                    name,
                    kind,
                    ap50=float(curves[0].mean()),
                    ap=float(curves.mean()),
                    precision=right / max(1, answers),
                    recall=right / max(1, n),
                    n=n,
                )
            )
    return measured


def rows(found: Detections, image_id: int) -> list[dict[str, Any]]:
    """Detections as COCO's API takes them."""
    instances = zip(found.labels, found.scores, found.boxes_xyxy, found.masks, strict=True)
    return [
        {
            "image_id": image_id,
            "category_id": COCO_IDS[found.names[label]],
            "score": float(score),
            "bbox": [*map(float, box[:2]), *map(float, box[2:] - box[:2])],
            "segmentation": mask.to_coco(found.size),
        }
        for label, score, box, mask in instances
    ]


def _compare(
    truth: Truth, results: list[dict[str, Any]], category_ids: list[int], iou_type: str
) -> COCOeval | None:
    """Detections held against the truth; None if there are none."""
    if not results:
        return None
    with _silent():
        measured = COCOeval(
            truth.coco, truth.coco.loadRes([dict(row) for row in results]), iou_type
        )
        measured.params.imgIds = list(truth.image_ids)
        measured.params.catIds = category_ids
        measured.evaluate()
        measured.accumulate()
    return measured


def _curves(measured: COCOeval | None, category_id: int) -> npt.NDArray[np.float64]:
    """A class's precision for ten overlaps (the first: one half) and 101 recalls."""
    if measured is None:
        return np.zeros((10, 101))
    # Overlaps, recalls, classes, sizes (the first: all), detections a photo (the last: 100).
    k = list(measured.params.catIds).index(category_id)
    curves: npt.NDArray[np.float64] = measured.eval["precision"][:, :, k, 0, -1]
    return curves


def _hits(measured: COCOeval | None, category_id: int) -> tuple[int, int]:
    """How many detections of a class count, and how many of them overlap by one half."""
    answers = right = 0
    for photo in measured.evalImgs if measured else ():
        if photo and photo["category_id"] == category_id and photo["aRng"] == ALL_SIZES:
            counts = ~photo["dtIgnore"][0].astype(bool)
            answers += int(counts.sum())
            right += int((photo["dtMatches"][0][counts] > 0).sum())
    return answers, right


def validation_sets(data: Path) -> dict[str, Truth]:
    """The val photos in DATA/street and DATA/coco, by name; else DatasetError."""
    return {name: Truth.read(data / name, "val") for name in WATCHED}


def mean_ap50(measured: Sequence[Quality]) -> float:
    """Of masks, over the classes that there are."""
    return _mean([quality.ap50 for quality in measured if quality.kind == "mask"])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """pycocotools prints as it works."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def figures(
    detector: Detector, truths: Mapping[str, Truth], on_photo: OnPhoto = lambda: None
) -> Iterator[Figure]:
    """What a detector reaches on each set of photos, one figure after another."""
    for dataset, truth in truths.items():
        measured = evaluate(detector, truth, on_photo)
        values = [
            (f"{quality.kind}_{metric}_{quality.label}", getattr(quality, metric), quality.n)
            for quality in measured
            for metric in METRICS
        ]
        for kind in ("mask", "box"):
            of_kind = [quality for quality in measured if quality.kind == kind]
            n = sum(quality.n for quality in of_kind)
            for metric in METRICS:
                mean = _mean([getattr(quality, metric) for quality in of_kind])
                values.append((f"{kind}_{metric}", mean, n))
        for metric, value, n in values:
            yield Figure(detector.manifest.name, dataset, metric, round(value, 4), n)


def watched_figures(detector: Detector, truths: Mapping[str, Truth]) -> Iterator[Figure]:
    """The detector's `figures`, with a bar that shows how many photos are done."""
    photos = sum(len(truth.image_ids) for truth in truths.values())
    return watched(partial(figures, detector, truths), photos)


def record(bundle: Path, truths: Mapping[str, Truth]) -> None:
    """Measure a bundle's detector, and put the mask AP50 of each class into its manifest."""
    detector = Detector.from_bundle(bundle)
    scores = {
        figure.name: figure.value
        for figure in watched_figures(detector, truths)
        if figure.metric.startswith("mask_ap50")
    }
    add_scores(bundle, scores)
