"""The quality of detections by COCO's evaluation: at most 100 a photo, all sizes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from pycocotools.cocoeval import COCOeval

from bentoml_img.arrays import Float64Array
from bentoml_img.detect import Detections
from bentoml_img.labels import COCO_IDS
from bentoml_img.training.detection.truth import Truth, silent

ALL_SIZES = [0, 1e10]  # square pixels


@dataclass(frozen=True)
class Quality:
    """The quality of the masks or boxes (`kind`) of a class, which has `n` true instances.

    `precision` and `recall` are at IoU 0.5, of the instances that a detector answers by
    default.
    """

    label: str
    kind: str
    ap50: float
    ap: float
    precision: float
    recall: float
    n: int


def qualities(
    truth: Truth,
    found: Sequence[dict[str, Any]],
    shown: Sequence[dict[str, Any]],
    classes: Sequence[str],
) -> list[Quality]:
    """The quality of masks and of boxes for each of those classes, which the truth has.

    Average precision is computed from all detections, `found`; precision and recall from those
    that a detector answers by default, `shown`. Both are `rows`. Crowds are ignored.
    """
    measured = []
    ids = [COCO_IDS[name] for name in classes]
    for kind, iou_type in (("mask", "segm"), ("box", "bbox")):
        whole, part = (_compare(truth, some, ids, iou_type) for some in (found, shown))
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
            "segmentation": asdict(mask.to_coco(found.size)),
        }
        for label, score, box, mask in instances
    ]


def _compare(
    truth: Truth, results: Sequence[dict[str, Any]], category_ids: list[int], iou_type: str
) -> COCOeval | None:
    """Compare detections with the truth; None if there are no detections."""
    if not results:
        return None
    with silent():
        measured = COCOeval(
            truth.coco, truth.coco.loadRes([dict(row) for row in results]), iou_type
        )
        measured.params.imgIds = list(truth.image_ids)
        measured.params.catIds = category_ids
        measured.evaluate()
        measured.accumulate()
    return measured


def _curves(measured: COCOeval | None, category_id: int) -> Float64Array:
    """A class's precision for ten overlaps (the first: one half) and 101 recalls."""
    if measured is None:
        return np.zeros((10, 101))
    # Overlaps, recalls, classes, sizes (the first: all), detections a photo (the last: 100).
    k = list(measured.params.catIds).index(category_id)
    curves: Float64Array = measured.eval["precision"][:, :, k, 0, -1]
    return curves


def _hits(measured: COCOeval | None, category_id: int) -> tuple[int, int]:
    """The number of detections of a class outside of crowds, and of those with IoU ≥ 0.5."""
    answers = right = 0
    for photo in measured.evalImgs if measured else ():
        if photo and photo["category_id"] == category_id and photo["aRng"] == ALL_SIZES:
            counts = ~photo["dtIgnore"][0].astype(bool)
            answers += int(counts.sum())
            right += int((photo["dtMatches"][0][counts] > 0).sum())
    return answers, right


def mean_ap50(measured: Sequence[Quality]) -> float:
    """The mean AP50 of masks over all measured classes."""
    return mean([quality.ap50 for quality in measured if quality.kind == "mask"])


def mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))
