from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import engines
from bentoml_img.segment import Segmenter
from tests.samples import jpeg


def test_a_ratio_is_the_median_of_the_rounds_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg(8, 8))
    model = SimpleNamespace(
        preprocess=lambda image: None,
        scores=lambda pixels: np.zeros((2, 1, 1)),
        manifest=SimpleNamespace(name="fcn_lite", scores={"int8_coco_miou": 0.4}),
    )
    monkeypatch.setattr(Segmenter, "from_bundle", lambda *_, precision: model)
    monkeypatch.setattr(engines, "eager_segmenter", lambda bundle: model)
    clock = iter(np.cumsum([[0, seconds] for seconds in (1, 4, 2, 10, 4, 16)]))
    monkeypatch.setattr(engines, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    row = engines.compare("fcn_lite", "int8", tmp_path, [tmp_path / "photo.jpg"], 3, "real")
    assert (row.openvino_ms, row.torch_ms, row.ratio, row.miou) == (2000, 10_000, 4, 0.4)
