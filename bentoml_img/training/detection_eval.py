"""How good a detector is, by COCO's own evaluation."""

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bentoml_img.bundle import add_scores
from bentoml_img.detect import Detections, Detector
from bentoml_img.labels import COCO_CATEGORIES
from bentoml_img.training.layouts import find_coco

FLOOR = 0.05  # the score under which the network itself leaves instances out


@dataclass(frozen=True)
class Figure:
    """A measurement: of masks ("mask") or boxes ("box"), how many true instances it rests on."""

    label: str
    kind: str
    ap50: float
    ap: float
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
        """Of every so many photos one; DatasetError if the layout is another."""
        photos, annotations = find_coco(root, split)
        with _silent():
            coco = COCO(annotations)
        return cls(photos, coco, tuple(sorted(coco.getImgIds())[::every]))

    def images(self) -> Iterator[tuple[int, Image.Image]]:
        for image_id in self.image_ids:
            name = self.coco.imgs[image_id]["file_name"]
            with Image.open(self.photos / name) as image:
                yield image_id, image.convert("RGB")


def evaluate(
    detector: Detector, truth: Truth, on_photo: Callable[[], None] = lambda: None
) -> list[Figure]:
    """Average precision of masks and boxes for each class: 100 detections a photo, all sizes.

    `ap50` asks for an overlap of one half, `ap` is the mean over ten overlaps from
    0.5 to 0.95. Crowds count neither way. Classes that the truth has none of are
    left out, and so are those that the detector does not know.
    """
    classes = [name for name in truth.classes if name in detector.manifest.labels]
    ids = {name: k for k, name in COCO_CATEGORIES.items()}
    results: list[dict[str, Any]] = []
    for image_id, image in truth.images():
        (found,) = detector([image], score_threshold=FLOOR, classes=classes)
        results += rows(found, image_id, ids)
        on_photo()
    measured = []
    for kind, iou_type in (("mask", "segm"), ("box", "bbox")):
        precision, counts = _precision(truth, results, [ids[name] for name in classes], iou_type)
        for name, values, n in zip(classes, precision, counts, strict=True):
            ap50, ap = float(values[0].mean()), float(values.mean())  # of (overlaps, recalls)
            measured.append(Figure(name, kind, ap50, ap, n))
    return measured


def rows(found: Detections, image_id: int, ids: Mapping[str, int]) -> list[dict[str, Any]]:
    """Detections as COCO's API takes them."""
    instances = zip(found.labels, found.scores, found.boxes_xyxy, found.masks, strict=True)
    return [
        {
            "image_id": image_id,
            "category_id": ids[found.names[label]],
            "score": float(score),
            "bbox": [*map(float, box[:2]), *map(float, box[2:] - box[:2])],
            "segmentation": mask.to_coco(found.size),
        }
        for label, score, box, mask in instances
    ]


def _precision(
    truth: Truth, results: list[dict[str, Any]], category_ids: list[int], iou_type: str
) -> tuple[npt.NDArray[np.float64], list[int]]:
    """For each class the precision by overlap and recall, and how many true instances there are."""
    coco = truth.coco
    counts = []
    for category in category_ids:
        there = coco.getAnnIds(truth.image_ids, [category], iscrowd=False)
        counts.append(len(there))
    if not results:
        return np.zeros((len(category_ids), 10, 101)), counts
    with _silent():
        loaded = coco.loadRes([dict(row) for row in results])
        measured = COCOeval(coco, loaded, iou_type)
        measured.params.imgIds = list(truth.image_ids)
        measured.params.catIds = category_ids
        measured.evaluate()
        measured.accumulate()
    # Overlaps, recalls, classes, sizes (the first: all), detections a photo (the last: 100).
    precision: npt.NDArray[np.float64] = measured.eval["precision"][:, :, :, 0, -1]
    order = [sorted(category_ids).index(category) for category in category_ids]
    return precision.transpose(2, 0, 1)[order], counts


def validation_sets(data: Path) -> dict[str, Truth]:
    """The val photos in DATA/street and DATA/coco, by name; else DatasetError."""
    return {name: Truth.read(data / name, "val") for name in ("street", "coco")}


def mean_ap50(figures: Sequence[Figure], kind: str = "mask") -> float:
    """Over the classes that there are."""
    return _mean([figure.ap50 for figure in figures if figure.kind == kind])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """pycocotools prints as it works."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def figures(
    detector: Detector, truths: Mapping[str, Truth], on_photo: Callable[[], None] = lambda: None
) -> Iterator[dict[str, Any]]:
    """What a detector reaches on each set of photos, one figure after another."""
    for dataset, truth in truths.items():
        measured = evaluate(detector, truth, on_photo)
        values = [
            (f"{figure.kind}_{metric}_{figure.label}", value, figure.n)
            for figure in measured
            for metric, value in (("ap50", figure.ap50), ("ap", figure.ap))
        ]
        for kind in ("mask", "box"):
            of_kind = [figure for figure in measured if figure.kind == kind]
            n = sum(figure.n for figure in of_kind)
            values.append((f"{kind}_ap", _mean([figure.ap for figure in of_kind]), n))
            values.append((f"{kind}_ap50", mean_ap50(measured, kind), n))
        for metric, value, n in values:
            yield {
                "model": detector.manifest.name,
                "dataset": dataset,
                "metric": metric,
                "value": round(value, 4),
                "n": n,
            }


def record(bundle: Path, truths: Mapping[str, Truth]) -> None:
    """Measure a bundle's detector, and put the mask AP50 of each class into its manifest."""
    detector = Detector.from_bundle(bundle)
    scores = {
        f"{figure['dataset']}_{figure['metric']}": figure["value"]
        for figure in figures(detector, truths)
        if figure["metric"].startswith("mask_ap50")
    }
    add_scores(bundle, scores)
