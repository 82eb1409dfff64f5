"""Which photos of images/ are for what."""

import csv
from collections import Counter
from collections.abc import Iterable

from bentoml_img.labels import VOC, VOC_TO_CIFAR10, VOC_TO_TRAFFIC
from bentoml_img.paths import ROOT

FOLDER = ROOT / "images"
NONE = "none"  # what photos show that show none of the classifier's classes


def labelled() -> dict[str, str]:
    """The classifier's photos, by name, and what each shows."""
    with (FOLDER / "expected.csv").open(newline="") as file:
        return {row["file"]: row["label"] for row in csv.DictReader(file)}


def known_to_all() -> list[str]:
    """The names of the photos that are for all three models, and show what all of them know."""
    labels = labelled()
    known = {label for voc, label in VOC_TO_CIFAR10.items() if VOC.index(voc) in VOC_TO_TRAFFIC}
    return [name for name in scenes() if labels.get(name) in known]


def scenes() -> list[str]:
    """The names of the photos for the segmenter and the detector."""
    return (FOLDER / "segmentation.txt").read_text().split()


def counted(labels: Iterable[str]) -> str:
    """How many there are of each, the most first."""
    counts = Counter(labels).most_common()
    return ", ".join(label if n == 1 else f"{n}x {label}" for label, n in counts)
