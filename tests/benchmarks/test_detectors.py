from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import detectors
from benchmarks.detectors import compare, precisions
from bentoml_img.bundle import copy, write_manifest
from bentoml_img.detect import Detections
from bentoml_img.masks import InstanceMask
from bentoml_img.shelf import SHIPPED


def found(*boxes: list[int], label: int = 1, score: float = 0.9) -> Detections:
    """Things that fill their boxes."""
    masks = [InstanceMask(x, y, np.ones((v - y, u - x), np.bool_)) for x, y, u, v in boxes]
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), label),
        np.full(len(boxes), score, np.float32),
        tuple(masks),
        (40, 30),
        ("background", "car", "bus"),
    )


def test_the_largest_difference_counts() -> None:
    theirs = found([0, 0, 10, 10], [20, 10, 30, 20])
    ours = found([20, 10, 31, 20], [0, 0, 10, 10], score=0.8)
    agreement = compare([ours], [theirs])
    assert (agreement.instances, agreement.found, agreement.box_px) == (2, 2, 1.0)
    assert agreement.score == pytest.approx(0.1)
    assert agreement.mask_iou == pytest.approx(10 / 11, abs=1e-5)


def test_another_place_or_class_is_another_thing() -> None:
    theirs = found([0, 0, 10, 10])
    for ours in (found([3, 0, 13, 10]), found([0, 0, 10, 10], label=2), found()):
        agreement = compare([ours], [theirs])
        assert (agreement.instances, agreement.found) == (1, 0)


def test_a_precision_is_measured_once_its_cost_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "maskrcnn_lite"
    manifest = copy(SHIPPED / bundle.name, bundle)
    write_manifest(bundle, replace(manifest, scores={}), manifest.files)
    assert precisions(bundle) == ["fp32"]
    scores = {"int8_loss": 0.0, "bf16_loss": 0.0}
    write_manifest(bundle, replace(manifest, scores=scores), manifest.files)
    for has, able in ((False, ["fp32", "int8"]), (True, ["fp32", "bf16", "int8"])):
        monkeypatch.setattr(detectors, "has_bfloat16", lambda has=has: has)
        assert precisions(bundle) == able
