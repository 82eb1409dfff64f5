"""COCO annotations: fills in optional fields, and refuses damaged ones."""

from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

CORNERS = 3  # of a polygon, at least


def complete(annotation: dict[str, Any], width: int, height: int) -> None:
    """Normalise an annotation of a photo of that size, in place.

    Afterwards `iscrowd` is 0 or 1, `area` a float, `bbox` four floats, and `segmentation` a
    list of valid polygons or compressed run lengths. An annotation without an outline becomes
    a crowd of its box: that area is then ignored. One of DECODER_ERRORS if it is damaged, or
    of another size than the photo.
    """
    annotation["iscrowd"] = int(annotation.get("iscrowd") or 0)
    annotation["area"] = float(annotation["area"])
    left, top, w, h = map(float, annotation["bbox"])
    annotation["bbox"] = [left, top, w, h]
    outline = annotation.get("segmentation") or []
    if isinstance(outline, dict):
        annotation["segmentation"] = _run_lengths(outline, width, height)
        return
    polygons = [p for p in outline if len(p) >= 2 * CORNERS and len(p) % 2 == 0]
    if not polygons:
        right, bottom = left + w, top + h
        polygons = [[left, top, right, top, right, bottom, left, bottom]]
        annotation["iscrowd"] = 1
    # As lists of Python's floats they would take four times the memory.
    annotation["segmentation"] = [np.array(polygon, np.float64) for polygon in polygons]


def _run_lengths(outline: dict[str, Any], width: int, height: int) -> dict[str, Any]:
    """Compressed run lengths; ValueError if they are of another size than the photo."""
    rows, columns = outline["size"]
    if (rows, columns) != (height, width):
        raise ValueError(f"a mask has {columns}×{rows} pixels, and its photo {width}×{height}")
    if isinstance(outline["counts"], list):
        outline = coco_mask.frPyObjects(outline, height, width)
    coco_mask.decode(outline)  # fails now, not in the middle of a run, if it is damaged
    return outline
