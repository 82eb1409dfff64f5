from pathlib import Path

import pytest

from bentoml_img import console
from bentoml_img.packaging import PackagedBento


def test_what_is_shown_of_a_bento_fits_on_a_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (
        "README.md",
        "src/services/a.py",
        "src/services/deep/b.py",
        "env/docker/Dockerfile",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    console.show_packaged(PackagedBento("Some:1", tmp_path), "images/dog.jpg")
    written = capsys.readouterr()
    assert written.out == "Some:1\n"  # for scripts
    assert [line.strip("├└│─ ") for line in written.err.splitlines()] == [
        "Some:1",
        "README.md",
        "env/",
        "docker/ (1 file)",
        "src/",
        "services/ (2 files)",
        f"Some:1 is in {tmp_path}",
        "bentoml run Some:latest predict --input-file=images/dog.jpg",
        "bentoml serve Some:latest --host 127.0.0.1",
        "bentoml containerize Some:latest",
    ]
