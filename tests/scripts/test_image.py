"""What the report on an image says."""

import os
from pathlib import Path

import pytest

from scripts.buildah import BuildError, Image, Storage
from scripts.image import sizes


def image(root: Path) -> Image:
    return Image(root, {}, "bentoml", "/home/bentoml/bento", ("serve",), ("check",))


def write(root: Path, name: str, size: int) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


def test_sizes_are_summed_by_owner(tmp_path: Path) -> None:
    packages = "app/.venv/lib/python3.11/site-packages"
    write(tmp_path, f"{packages}/numpy/core.so", 5)
    write(tmp_path, f"{packages}/numpy.libs/blas.so", 7)
    write(tmp_path, f"{packages}/numpy-2.4.6.dist-info/RECORD", 1)
    write(tmp_path, f"{packages}/PIL/image.so", 2)
    write(tmp_path, "app/.venv/bin/bentoml", 3)
    write(tmp_path, "home/bentoml/bento/bento.yaml", 11)
    write(tmp_path, "usr/bin/python3.11", 13)
    assert sizes(image(tmp_path)) == {
        "Python packages: numpy": 13,
        "Python packages: pil": 2,
        "Python packages: scripts": 3,
        "the Bento": 11,
        "base image": 13,
    }


def test_a_hard_link_counts_once_and_a_symbolic_link_not_at_all(tmp_path: Path) -> None:
    file = write(tmp_path, "usr/lib/library.so", 10)
    os.link(file, tmp_path / "usr/lib/same.so")
    (tmp_path / "usr/lib/link.so").symlink_to(file)
    assert sizes(image(tmp_path)).total() == 10


def test_the_packages_of_missing_tools_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda tool: None if tool == "ip" else tool)
    with pytest.raises(BuildError, match=r"apt-get install iproute2$"):
        Storage(tmp_path)
