"""How good a detector's masks are, by pycocotools as its own examples use it."""

from pathlib import Path

from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bentoml_img.detect import Detector, Query
from bentoml_img.labels import COCO_IDS
from bentoml_img.training.detection.quality import rows

EVERYTHING = Query(score_threshold=0)


def mask_ap50(detector: Detector, root: Path, *classes: str) -> float:
    """The mean over some classes on the val photos of a folder in COCO's layout."""
    truth = COCO(root / "annotations" / "instances_val.json")
    found = []
    for image_id, image in truth.imgs.items():
        with Image.open(root / "val" / image["file_name"]) as photo:
            (detections,) = detector([photo.convert("RGB")], EVERYTHING, duplicates=True)
        found += rows(detections, image_id)
    measured = COCOeval(truth, truth.loadRes(found), "segm")
    measured.params.catIds = [COCO_IDS[name] for name in classes]
    measured.evaluate()
    measured.accumulate()
    measured.summarize()
    return float(measured.stats[1])
