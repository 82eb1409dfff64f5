import json
from pathlib import Path

import pytest

from bentoml_img.bundle import Bundle
from bentoml_img.detect import Detector
from bentoml_img.paths import SHIPPED
from bentoml_img.training.detection.evaluation import RECORDED, figures, measure
from bentoml_img.training.detection.quality import Quality, mean_ap50
from bentoml_img.training.detection.truth import Truth
from bentoml_img.training.figures import record
from tests.detectors import AsIs, manifest_of
from tests.training.detection.seer import CLASSES, Seer
from tests.training.streets import write_streets


@pytest.fixture
def truth(tmp_path: Path) -> Truth:
    return Truth.read(write_streets(tmp_path, 6, "val"), "val")


def qualities(detector: Detector, truth: Truth) -> list[Quality]:
    """What is measured on one set of photos."""
    return dict(measure(detector, {"street": truth}))["street"]


def test_who_finds_everything_scores_1_and_crowds_do_not_count(truth: Truth) -> None:
    measured = qualities(AsIs(manifest_of("maskrcnn_lite"), Seer()), truth)
    masks = {f.label: f for f in measured if f.kind == "mask"}
    assert {name: round(f.ap50, 3) for name, f in masks.items()} == dict.fromkeys(CLASSES, 1)
    assert {name: f.n for name, f in masks.items()} == {"person": 6, "car": 6, "bus": 2}
    assert {f.label for f in measured if f.kind == "box"} == set(CLASSES)
    assert mean_ap50(measured) == pytest.approx(1)


def test_precision_and_recall_are_of_what_one_is_shown(truth: Truth) -> None:
    def shown(seer: Seer) -> dict[str, tuple[float, float]]:
        measured = qualities(AsIs(manifest_of("maskrcnn_lite"), seer), truth)
        return {
            f.label: (round(f.precision, 3), round(f.recall, 3))
            for f in measured
            if f.kind == "mask"
        }

    assert shown(Seer()) == dict.fromkeys(CLASSES, (1, 1)), "nobody is asked about crowds"
    assert shown(Seer(twice="car")) == dict.fromkeys(CLASSES, (1, 1)), "twice is once"
    assert shown(Seer(score=0.4)) == dict.fromkeys(CLASSES, (0, 0)), "too unsure to be shown"
    taken_for_cars = shown(Seer(names={"bus": "car"}))
    assert taken_for_cars == {"person": (1, 1), "car": (0.75, 1), "bus": (0, 0)}


def test_what_is_missed_or_misplaced_scores_less(truth: Truth) -> None:
    blind = AsIs(manifest_of("maskrcnn_lite"), Seer(blind=("car",)))
    measured = qualities(blind, truth)
    assert {f.label: round(f.ap50) for f in measured if f.kind == "mask"} == {
        "person": 1,
        "car": 0,
        "bus": 1,
    }
    beside = AsIs(manifest_of("maskrcnn_lite"), Seer(shift=10))
    shifted = {f.label: f for f in qualities(beside, truth) if f.kind == "mask"}
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
    detector = AsIs(manifest_of("maskrcnn_lite"), Seer())
    measured = qualities(detector, Truth.read(tmp_path, "val"))
    masks = {f.label: (round(f.ap50, 3), f.recall, f.n) for f in measured if f.kind == "mask"}
    assert masks == {"person": (1, 1, 3), "car": (1, 1, 3), "bus": (1, 1, 1)}


def test_who_finds_nothing_scores_0(truth: Truth) -> None:
    detector = AsIs(manifest_of("maskrcnn_lite"), Seer(blind=CLASSES))
    assert {round(figure.ap50, 3) for figure in qualities(detector, truth)} == {0}


def test_photos_are_counted_over_all_sets(truth: Truth) -> None:
    detector = AsIs(manifest_of("maskrcnn_lite"), Seer())
    photos: list[tuple[int, int]] = []
    sets = {"street": truth, "avenue": truth}
    measured = measure(detector, sets, lambda done, total: photos.append((done, total)))
    assert [name for name, _ in measured] == ["street", "avenue"]
    assert photos == [(done, 12) for done in range(1, 13)]


def test_figures_are_lines_of_json(truth: Truth) -> None:
    detector = AsIs(manifest_of("maskrcnn_lite"), Seer())
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


def test_a_bundle_keeps_the_mask_ap50_of_each_class(truth: Truth, tmp_path: Path) -> None:
    bundle = tmp_path / "maskrcnn_lite"
    Bundle.open(SHIPPED / bundle.name).copy(bundle)
    before = Bundle.open(bundle).manifest.scores
    seer = AsIs(manifest_of("maskrcnn_lite"), Seer(blind=("car",)))
    record(bundle, figures(seer, {"avenue": truth}), RECORDED)
    mean = round(2 / 3, 4)
    of_classes = {"person": 1.0, "car": 0.0, "bus": 1.0}
    expected = {f"avenue_mask_ap50_{name}": value for name, value in of_classes.items()}
    assert Bundle.open(bundle).manifest.scores == {**before, "avenue_mask_ap50": mean, **expected}


def test_some_of_the_photos_are_enough(tmp_path: Path) -> None:
    truth = Truth.read(write_streets(tmp_path, 6, "val"), "val", every=3)
    assert len(truth.image_ids) == 2
    assert tuple(image_id for image_id, _ in truth.images()) == truth.image_ids
