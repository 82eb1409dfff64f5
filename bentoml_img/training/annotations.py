"""COCO's annotations as people write them: what they lack or have too little of."""

from typing import Any

CORNERS = 3  # of a polygon, at least


def complete(annotation: dict[str, Any]) -> None:
    """Give an annotation `iscrowd` if it has none, and take away what is no polygon; in place.

    Where no outline is left, its box is a crowd: what is there is neither to be
    found nor to be missed.
    """
    annotation.setdefault("iscrowd", 0)
    outline = annotation.get("segmentation", [])
    if not isinstance(outline, list):
        return
    polygons = [p for p in outline if len(p) >= 2 * CORNERS and len(p) % 2 == 0]
    if not polygons:
        left, top, width, height = annotation["bbox"]
        right, bottom = left + width, top + height
        polygons = [[left, top, right, top, right, bottom, left, bottom]]
        annotation["iscrowd"] = 1
    annotation["segmentation"] = polygons
