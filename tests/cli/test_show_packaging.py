import errno
import shutil
from pathlib import Path

import pytest

from bentoml_img import packaging
from bentoml_img.bundle import BundleError
from bentoml_img.cli.show_packaging import package_and_show, show_packaged
from bentoml_img.packaging import PackagedBento
from bentoml_img.paths import ROOT

FULL = "[Errno 28] No space left on device"
NOT_COPIED = [("a/1.py", "b/1.py", f"{FULL}: 'b/1.py'"), ("a", "b", FULL)]


def test_what_is_shown_of_a_bento_fits_on_a_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "README.md",
        "src/services/a.py",
        "src/services/deep/b.py",
        "env/docker/Dockerfile",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(ROOT)
    show_packaged(PackagedBento("Some:1", tmp_path), "images/dog.jpg")
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


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "a.part"), "Permission denied"),
        (shutil.Error(NOT_COPIED), FULL),
    ],
)
def test_a_store_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, why: str
) -> None:
    def package(*_: object) -> PackagedBento:
        raise error

    monkeypatch.setattr(packaging, "package", package)
    monkeypatch.setenv("BENTOML_HOME", "/store")
    with pytest.raises(BundleError) as raised:
        package_and_show(tmp_path / "net", "auto", "fp32", "images/dog.jpg")
    assert str(raised.value) == f"cannot package net in /store (BENTOML_HOME): {why}"


def test_from_another_folder_the_photo_is_named_in_full(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    show_packaged(PackagedBento("Some:1", tmp_path), "images/dog.jpg")
    assert f"--input-file={ROOT / 'images' / 'dog.jpg'}\n" in capsys.readouterr().err
