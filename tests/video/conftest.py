from pathlib import Path

import pytest

from bentoml_img.video.results import Result
from tests.video.clips import ColourDetector, write_clip
from tests.video.running import FRAMES, OPTIONS, annotated


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "street.mp4", FRAMES, audio=["aac"])


@pytest.fixture(scope="module")
def whole(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The clip done in one go."""
    output = tmp_path_factory.mktemp("whole") / "street.mp4"
    return annotated(clip, output, ColourDetector(), OPTIONS)
