import io
import json

import numpy as np
import pytest
from PIL import Image

from benchmarks.stages import STAGES, agreement, common, ours, report
from bentoml_img.paths import ROOT, SHIPPED
from bentoml_img.segment import Segmenter


def test_both_ways_give_the_same_mask() -> None:
    segmenter = Segmenter.from_bundle(SHIPPED / "deeplabv3_lite")
    photo = (ROOT / "images" / "people_mechanics.jpg").read_bytes()
    (one, laps), (other, other_laps) = ours(photo, segmenter), common(photo, segmenter)
    assert len(np.unique(np.asarray(Image.open(io.BytesIO(one))))) >= 3
    assert agreement(one, other) > 0.99
    assert len(laps) == len(other_laps) == len(STAGES)


def test_a_ratio_is_the_median_of_the_rounds_own(capsys: pytest.CaptureFixture[str]) -> None:
    report({"ours": {"decode": [1, 2, 4]}, "common": {"decode": [4, 10, 16]}}, [1])
    line = json.loads(capsys.readouterr().out)
    assert (line["ours_ms"], line["common_ms"], line["ratio"]) == (2, 10, 4)
