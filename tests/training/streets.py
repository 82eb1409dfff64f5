"""A small synthetic data set in COCO's layout: coloured boxes on grey ground."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bentoml_img.labels import COCO_CATEGORIES

SIZE = 128, 64  # width, height
COLOURS = {1: (255, 0, 0), 3: (0, 0, 255), 6: (0, 255, 0)}  # people, cars, buses
CROWD = (255, 255, 0)


def instance(
    category: int, left: int, top: int, width: int, height: int, crowd: bool = False
) -> dict[str, Any]:
    """COCO's annotation of a rectangle."""
    right, bottom = left + width, top + height
    return {
        "category_id": category,
        "iscrowd": int(crowd),
        "bbox": [left, top, width, height],
        "area": width * height,
        "segmentation": [[left, top, right, top, right, bottom, left, bottom]],
    }


def write_streets(root: Path, n: int, split: str = "train") -> Path:
    """Photos with a person and a car each, a bus in every third, and a crowd in the first."""
    rng = np.random.default_rng(len(split))
    (root / split).mkdir(parents=True)
    (root / "annotations").mkdir(exist_ok=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for i in range(n):
        things = [
            instance(3, int(rng.integers(2, 20)), int(rng.integers(30, 40)), 40, 20),
            instance(1, int(rng.integers(64, 80)), int(rng.integers(5, 20)), 14, 36),
        ]
        if i % 3 == 0:
            things.append(instance(6, 94, 4, 30, 30))
        if i == 0:
            things.append(instance(1, 96, 44, 30, 18, crowd=True))
        pixels = np.full((SIZE[1], SIZE[0], 3), 110, np.uint8)
        for thing in things:
            left, top, width, height = thing["bbox"]
            colour = CROWD if thing["iscrowd"] else COLOURS[thing["category_id"]]
            pixels[top : top + height, left : left + width] = colour
            annotations.append({**thing, "id": len(annotations) + 1, "image_id": i + 1})
        name = f"{split}_{i}.png"
        Image.fromarray(pixels).save(root / split / name)
        images.append({"id": i + 1, "file_name": name, "width": SIZE[0], "height": SIZE[1]})
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": k, "name": name} for k, name in COCO_CATEGORIES.items()],
    }
    (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(content))
    return root
