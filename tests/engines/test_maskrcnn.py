import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bentoml_img.bundle import DETECTION_GRAPHS, RULES, WEIGHTS, Bundle, BundleError
from bentoml_img.detect import Detector, Query
from bentoml_img.engines import resolve
from bentoml_img.exporting.assemble import assemble
from bentoml_img.paths import ROOT
from tests.detectors import alike, lively_detector, manifest_of, noise

PHOTO = Image.open(ROOT / "images" / "street.jpg")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "maskrcnn_lite"
    assemble(lively_detector("maskrcnn_lite"), manifest_of("maskrcnn_lite"), folder, half=False)
    return folder


def test_a_bundle_has_a_graph_for_each_network(made: Path) -> None:
    manifest = Bundle.open(made).verify().manifest
    assert {WEIGHTS, RULES, *DETECTION_GRAPHS} < set(manifest.files)
    assert len(manifest.files) == 8
    assert manifest.scores["export_label_agreement"] == 1
    assert 0 < manifest.scores["export_max_difference"] < 1e-3
    assert resolve(Bundle.open(made)) == "openvino"
    with pytest.raises(BundleError, match="no engine 'abacus'"):
        resolve(Bundle.open(made), "abacus")


@pytest.mark.parametrize("image", [noise(160, 120), noise(75, 131), noise(301, 77), PHOTO])
def test_both_engines_find_the_same(made: Path, image: Image.Image) -> None:
    found, reference = (
        Detector.from_bundle(made, engine)([image], Query(score_threshold=0.3))[0]
        for engine in ("openvino", "torch")
    )
    assert len(found) == len(reference) > 3
    np.testing.assert_array_equal(found.labels, reference.labels)
    np.testing.assert_allclose(found.boxes_xyxy, reference.boxes_xyxy, atol=0.01)
    np.testing.assert_allclose(found.scores, reference.scores, atol=3e-4)
    there = alike([mask.window for mask in found.masks], [it.window for it in reference.masks])
    for k in np.flatnonzero(there):
        ours, theirs = found.masks[k].pixels, reference.masks[k].pixels
        assert (ours & theirs).sum() >= 0.998 * (ours | theirs).sum()


def test_a_photo_without_anything_is_no_error(made: Path) -> None:
    (found,) = Detector.from_bundle(made, "openvino")([noise(64, 64)], Query(score_threshold=1))
    assert len(found) == 0


def test_openvino_needs_no_pytorch(made: Path) -> None:
    program = """
import sys
from pathlib import Path
from PIL import Image
from bentoml_img.detect import Detector, Query
photo = Image.open(sys.argv[2])
(found,) = Detector.from_bundle(Path(sys.argv[1]), "openvino")([photo], Query(score_threshold=0.3))
assert found.summary().instances
assert not {"torch", "torchvision", "safetensors"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program, made, PHOTO.filename], check=True)
