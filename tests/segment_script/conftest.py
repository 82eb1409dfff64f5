from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import bentoml_img_segment
from bentoml_img import packaging, shelf
from bentoml_img.packaging import PackagedBento
from tests.commands import Invoke


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run the command with no cache but an empty one, and without BentoML."""

    def package(bundle: Path, engine: str, precision: str) -> PackagedBento:
        return PackagedBento("PytorchImageSegment:1", bundle)

    monkeypatch.setattr(packaging, "package", package)
    monkeypatch.setattr(shelf, "MADE", tmp_path / "made")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(bentoml_img_segment.main, list(map(str, arguments)))

    return run
