import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from bentoml_img import zoo
from bentoml_img.bundle import WEIGHTS, Bundle, BundleError
from bentoml_img.engines import load_engine
from bentoml_img.exporting import assemble as assembling
from bentoml_img.exporting.assemble import assemble
from bentoml_img.paths import SHIPPED
from bentoml_img.segment import Segmenter
from tests.segmenters import lively_module, manifest_of
from tests.test_segment import noisy_photo


def test_in_half_precision_both_engines_still_give_the_same(tmp_path: Path) -> None:
    name = "deeplabv3_lite"
    module = lively_module(name)
    image = np.random.default_rng(0).normal(size=(1, 3, 64, 80)).astype(np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(image)).numpy()
    manifest = assemble(module, manifest_of(name), tmp_path / name, half=True)
    assert 0 < manifest.scores["export_max_difference"] < 1e-4
    eager, graph = (
        load_engine(Bundle.open(tmp_path / name), engine)(image) for engine in ("torch", "openvino")
    )
    scale = np.abs(expected).max()
    np.testing.assert_allclose(graph, eager, atol=1e-4 * scale)
    np.testing.assert_allclose(eager, expected, atol=0.05 * scale)
    assert (tmp_path / name / WEIGHTS).stat().st_size < 20e6


@pytest.fixture
def without_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exporting takes its time, and is tested above."""

    def touch(module: object, example: object, path: Path, **_: object) -> None:
        path.touch()
        path.with_suffix(".bin").touch()

    monkeypatch.setattr(assembling, "save_graph", touch)
    agreed = {"export_label_agreement": 1.0}
    monkeypatch.setattr(assembling, "_compare_segmenters", lambda bundle: agreed)


@pytest.mark.parametrize("name", ["fcn_lite", "maskrcnn_lite"])
def test_graphs_of_another_network_make_no_bundle(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_the_shipped(module: object, example: object, path: Path, **_: object) -> None:
        for suffix in (".xml", ".bin"):
            target = path.with_suffix(suffix)
            shutil.copyfile(SHIPPED / name / target.name, target)

    monkeypatch.setattr(assembling, "save_graph", of_the_shipped)
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "kept").touch()
    with pytest.raises(BundleError, match="the engines disagree on"):
        assemble(zoo.build(name).eval(), manifest_of(name), tmp_path / "bundle", half=True)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert (tmp_path / "bundle" / "kept").exists()


def test_a_light_network_becomes_a_bundle(tmp_path: Path) -> None:
    name = "fcn_lite"
    assemble(lively_module(name), manifest_of(name), tmp_path / name, half=True)
    assert (tmp_path / name / WEIGHTS).stat().st_size < 20e6
    (answer,) = Segmenter.from_bundle(tmp_path / name)([noisy_photo(150, 100)])
    assert answer.mask.shape == (100, 150)
    assert len(np.unique(answer.mask)) > 3
