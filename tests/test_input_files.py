from pathlib import Path

import pytest

from bentoml_img.input_files import inputs_of
from tests.samples import photo


@pytest.mark.parametrize("name", ["a.jpg", "a.JPE", "a.jfif", "a.mpo", "a.apng", "a.dib", "a.heic"])
def test_photos_by_other_names_are_inputs(name: str, tmp_path: Path) -> None:
    photo().save(tmp_path / name, "JPEG")
    (tmp_path / "a.txt").touch()
    (tmp_path / "sub.jpg").mkdir()
    assert inputs_of(tmp_path) == [tmp_path / name]
