import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from bentoml_img.detect import Detector
from bentoml_img.engines.interface import Photo, RawDetections
from bentoml_img.labels import TRAFFIC
from bentoml_img.training.detection.evaluation import Truth, evaluate, figures, mean_ap50
from tests.detectors import manifest_of
from tests.training.streets import COLOURS, CROWD, write_streets

LABELS = {"person": COLOURS[1], "car": COLOURS[3], "bus": COLOURS[6]}
CLASSES = tuple(LABELS)


class Seer:
    """Finds every coloured rectangle, and people in crowds; is blind for some classes.

    `names` are what it takes some classes for; one class it finds `twice`.
    """

    def __init__(
        self,
        blind: tuple[str, ...] = (),
        shift: int = 0,
        score: float = 0.9,
        twice: str = "",
        names: Mapping[str, str] | None = None,
    ) -> None:
        self.colours = {name: c for name, c in LABELS.items() if name not in blind}
        self.shift, self.score, self.twice = shift, score, twice
        self.names = names or {}

    def __call__(self, photo: Photo, score_threshold: float) -> RawDetections:
        boxes, labels = [], []
        seen = [*self.colours.items(), ("person", CROWD)]
        for name, colour in seen:
            where = (photo == colour).all(axis=-1)
            if where.any():
                rows, columns = np.nonzero(where)
                box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                for _ in range(2 if name == self.twice else 1):
                    boxes.append([side + self.shift for side in box])
                    labels.append(TRAFFIC.index(self.names.get(name, name)))
        n = len(boxes)
        return RawDetections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array(labels, np.int64),
            np.full(n, self.score, np.float32),
            np.ones((n, 28, 28), np.float32),
        )


@pytest.fixture
def truth(tmp_path: Path) -> Truth:
    return Truth.read(write_streets(tmp_path, 6, "val"), "val")


def test_who_finds_everything_scores_1_and_crowds_do_not_count(truth: Truth) -> None:
    photos = []
    detector = Detector(manifest_of("maskrcnn_lite"), Seer())
    measured = evaluate(detector, truth, lambda: photos.append(1))
    assert len(photos) == 6
    masks = {f.label: f for f in measured if f.kind == "mask"}
    assert {name: round(f.ap50, 3) for name, f in masks.items()} == dict.fromkeys(CLASSES, 1)
    assert {name: f.n for name, f in masks.items()} == {"person": 6, "car": 6, "bus": 2}
    assert {f.label for f in measured if f.kind == "box"} == set(CLASSES)
    assert mean_ap50(measured) == pytest.approx(1)


def test_precision_and_recall_are_of_what_one_is_shown(truth: Truth) -> None:
    def measure(seer: Seer) -> dict[str, tuple[float, float]]:
        measured = evaluate(Detector(manifest_of("maskrcnn_lite"), seer), truth)
        return {
            f.label: (round(f.precision, 3), round(f.recall, 3))
            for f in measured
            if f.kind == "mask"
        }

    assert measure(Seer()) == dict.fromkeys(CLASSES, (1, 1)), "nobody is asked about crowds"
    assert measure(Seer(twice="car")) == dict.fromkeys(CLASSES, (1, 1)), "twice is once"
    assert measure(Seer(score=0.4)) == dict.fromkeys(CLASSES, (0, 0)), "too unsure to be shown"
    taken_for_cars = measure(Seer(names={"bus": "car"}))
    assert taken_for_cars == {"person": (1, 1), "car": (0.75, 1), "bus": (0, 0)}


def test_what_is_missed_or_misplaced_scores_less(truth: Truth) -> None:
    blind = Detector(manifest_of("maskrcnn_lite"), Seer(blind=("car",)))
    measured = evaluate(blind, truth)
    assert {f.label: round(f.ap50) for f in measured if f.kind == "mask"} == {
        "person": 1,
        "car": 0,
        "bus": 1,
    }
    beside = Detector(manifest_of("maskrcnn_lite"), Seer(shift=10))
    shifted = {f.label: f for f in evaluate(beside, truth) if f.kind == "mask"}
    assert shifted["person"].ap50 == 0
    assert shifted["bus"].ap50 == pytest.approx(0)
    assert shifted["car"].ap50 == 0


def test_annotations_may_lack_crowds_and_outlines_and_be_counted_from_0(tmp_path: Path) -> None:
    file = write_streets(tmp_path, 3, "val") / "annotations" / "instances_val.json"
    content = json.loads(file.read_text())
    del content["categories"]
    for i, annotation in enumerate(content["annotations"]):
        annotation["id"] = i
        del annotation["iscrowd"]
    content["annotations"][3]["segmentation"] = []  # of the crowd
    file.write_text(json.dumps(content))
    detector = Detector(manifest_of("maskrcnn_lite"), Seer())
    measured = evaluate(detector, Truth.read(tmp_path, "val"))
    masks = {f.label: (round(f.ap50, 3), f.recall, f.n) for f in measured if f.kind == "mask"}
    assert masks == {"person": (1, 1, 3), "car": (1, 1, 3), "bus": (1, 1, 1)}


def test_who_finds_nothing_scores_0(truth: Truth) -> None:
    detector = Detector(manifest_of("maskrcnn_lite"), Seer(blind=CLASSES))
    assert {round(figure.ap50, 3) for figure in evaluate(detector, truth)} == {0}


def test_figures_are_lines_of_json(truth: Truth) -> None:
    detector = Detector(manifest_of("maskrcnn_lite"), Seer())
    measured = figures(detector, {"street": truth})
    printed = [json.loads(figure.to_json()) for figure in measured]
    assert printed[0] == {
        "model": "maskrcnn_lite",
        "dataset": "street",
        "metric": "mask_ap50_person",
        "value": 1.0,
        "n": 6,
    }
    means = {f["metric"]: f["value"] for f in printed[-8:]}
    metrics = ("ap50", "ap", "precision", "recall")
    assert set(means) == {f"{kind}_{metric}" for kind in ("mask", "box") for metric in metrics}
    assert means["box_ap50"] == means["mask_recall"] == pytest.approx(1)


def test_some_of_the_photos_are_enough(tmp_path: Path) -> None:
    truth = Truth.read(write_streets(tmp_path, 6, "val"), "val", every=3)
    assert len(truth.image_ids) == 2
    assert tuple(image_id for image_id, _ in truth.images()) == truth.image_ids
