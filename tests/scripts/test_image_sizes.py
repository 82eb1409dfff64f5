"""What the report on images says."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from scripts import image_sizes
from scripts.buildah import Image
from scripts.image_sizes import sizes
from tests.scripts.images import PACKAGES, image, write

MB = 1_000_000


def test_sizes_are_summed_by_owner(tmp_path: Path) -> None:
    write(tmp_path, f"{PACKAGES}/numpy/core.so", "x" * 5)
    write(tmp_path, f"{PACKAGES}/numpy.libs/blas.so", "x" * 7)
    write(tmp_path, f"{PACKAGES}/numpy-2.4.6.dist-info/RECORD", "x")
    write(tmp_path, f"{PACKAGES}/PIL/image.so", "x" * 2)
    write(tmp_path, "app/.venv/bin/bentoml", "x" * 3)
    write(tmp_path, "home/bentoml/bento/bento.yaml", "x" * 11)
    write(tmp_path, "usr/bin/python3.11", "x" * 13)
    assert sizes(image(tmp_path)) == {
        "Python packages: numpy": 13,
        "Python packages: pil": 2,
        "Python packages: scripts": 3,
        "the Bento": 11,
        "base image": 13,
    }


def test_a_hard_link_counts_once_and_a_symbolic_link_not_at_all(tmp_path: Path) -> None:
    file = write(tmp_path, "usr/lib/library.so", "x" * 10)
    os.link(file, tmp_path / "usr/lib/same.so")
    (tmp_path / "usr/lib/link.so").symlink_to(file)
    assert sizes(image(tmp_path)).total() == 10


class Built:
    """A storage with one image, of 100 MB."""

    def find(self, bento: str) -> str | None:
        return "identifier" if bento == "Small" else None

    @contextmanager
    def mounted(self, name: str) -> Iterator[Image]:
        yield image(Path(name))


@pytest.mark.parametrize(
    ("budgets", "status", "said"),
    [
        (["Small=100", "NotBuilt=1"], 0, "100.0"),
        (["Small=99"], 1, "Error: over budget: Small"),
        (["NotBuilt=1"], 1, "Error: no image is built: make image"),
        (["Small"], 2, "'Small' needs a number of MB: NAME=MB"),
    ],
)
def test_the_exit_status_says_whether_the_budgets_are_kept(
    monkeypatch: pytest.MonkeyPatch, budgets: list[str], status: int, said: str
) -> None:
    monkeypatch.setattr(image_sizes, "Storage", Built)
    monkeypatch.setattr(image_sizes, "sizes", lambda image: Counter({"base image": 100 * MB}))
    done = CliRunner().invoke(image_sizes.main, budgets)
    assert done.exit_code == status
    assert said in done.output
