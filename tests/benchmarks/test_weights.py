from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import weights
from benchmarks.weights import precisions_of
from bentoml_img.bundle import Bundle
from bentoml_img.paths import SHIPPED


def test_a_precision_is_measured_once_its_cost_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "maskrcnn_lite"
    manifest = Bundle.open(SHIPPED / bundle.name).copy(bundle).manifest
    Bundle.write(bundle, replace(manifest, scores={}), manifest.files)
    assert precisions_of(bundle) == ["fp32"]
    scores = {"int8_loss": 0.0, "bf16_loss": 0.0}
    Bundle.write(bundle, replace(manifest, scores=scores), manifest.files)
    for has, able in ((False, ["fp32", "int8"]), (True, ["fp32", "bf16", "int8"])):
        monkeypatch.setattr(weights, "has_bfloat16", lambda has=has: has)
        assert precisions_of(bundle) == able
