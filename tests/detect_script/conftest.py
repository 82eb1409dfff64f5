from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import bentoml_img_detect
from bentoml_img import packaging, shelf
from bentoml_img.detect import Detector
from bentoml_img.packaging import PackagedBento
from tests.commands import Invoke
from tests.detect_script.running import FRAMES, Colours
from tests.detectors import AsIs, manifest_of
from tests.video.clips import write_clip


@pytest.fixture
def engine() -> Colours:
    return Colours()


@pytest.fixture
def invoke(engine: Colours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run the command with a detector that knows colours, an empty cache, and no BentoML."""

    def package(bundle: Path, engine: str, precision: str) -> PackagedBento:
        return PackagedBento("PytorchInstanceDetector:1", bundle)

    def load(bundle: Path, engine_name: str, precision: str) -> Detector:
        return AsIs(manifest_of("maskrcnn_lite"), engine)

    monkeypatch.setattr(packaging, "package", package)
    monkeypatch.setattr(Detector, "from_bundle", load)
    monkeypatch.setattr(shelf, "MADE", tmp_path / "made")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(bentoml_img_detect.main, list(map(str, arguments)))

    return run


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A car to the right, a car to the left, a walker downwards."""
    return write_clip(tmp_path_factory.mktemp("clip") / "road.mkv", FRAMES)
