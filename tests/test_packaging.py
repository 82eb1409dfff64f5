"""A classifier in a store of its own, by the commands that a user has."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bentoml_img.bundle import GRAPH, GRAPH_DATA, WEIGHTS, read_manifest, verify, write_manifest
from bentoml_img.shelf import ROOT

BENTO = "PytorchImageClassifier"
PACKAGE = """
import sys
from pathlib import Path
from bentoml_img.packaging import package
packaged = package(Path(sys.argv[1]), sys.argv[2])
print(packaged.tag, packaged.path, packaged.model_tag)
"""

Command = Callable[..., str]


def command_in(home: Path) -> Command:
    """Run Python with arguments on a store; its standard output, or a failed test."""

    def run(*arguments: str | Path) -> str:
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            env={**os.environ, "BENTOML_HOME": str(home), "COLUMNS": "999"},  # no wrapped paths
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Command:
    return command_in(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def light(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle like the shipped one, without its weight: packaging does not look inside."""
    folder = tmp_path_factory.mktemp("light")
    files = (WEIGHTS, GRAPH, GRAPH_DATA)
    for name in files:
        (folder / name).write_text(name)
    write_manifest(folder, dataclasses.replace(read_manifest(bundle), files={}), files)
    return folder


@pytest.fixture(scope="module")
def packaged(python: Command, light: Path) -> list[str]:
    """Tag, folder and model tag of the first packaging."""
    return python("-c", PACKAGE, light, "auto").split()


def latest(python: Command) -> str:
    """The tag of the Bento that `latest` means, as a user types it."""
    path = Path(python("-m", "bentoml", "get", f"{BENTO}:latest", "-o", "path").strip())
    return f"{BENTO}:{path.name}"


def test_packaging_again_finds_the_same(python: Command, packaged: list[str], light: Path) -> None:
    assert python("-c", PACKAGE, light, "auto").split() == packaged
    assert python("-c", PACKAGE, light, "openvino").split() == packaged


def test_the_tag_keeps_its_capitals(packaged: list[str]) -> None:
    assert packaged[0].startswith(f"{BENTO}:")


def test_the_bento_has_what_serving_needs_and_no_more(packaged: list[str]) -> None:
    source = Path(packaged[1]) / "src"
    files = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    assert {
        "services/classifier.py",
        "services/requirements/classifier-openvino.txt",
        "bentoml_img/classify.py",
        "bentoml_img/engines/openvino.py",
    } <= files
    folders = {Path(name).parts[0] for name in files if "/" in name}
    assert folders == {"services", "bentoml_img"}
    assert not [name for name in files if "training" in name]
    assert not [name for name in files if name.endswith((".safetensors", ".pyc", "torch.txt"))]


def test_the_image_gets_the_locked_packages_and_no_others(packaged: list[str]) -> None:
    lock = ROOT / "services" / "requirements" / "classifier-openvino.txt"
    assert Path(packaged[1], "env/python/requirements.txt").read_text() == lock.read_text()


def test_the_model_in_the_store_is_the_bundle(
    python: Command, packaged: list[str], light: Path
) -> None:
    tag = packaged[2]
    path = python("-m", "bentoml", "models", "get", tag, "-o", "path").strip()
    assert verify(Path(path)) == verify(light)


def test_the_chosen_engine_becomes_the_latest(
    python: Command, packaged: list[str], light: Path
) -> None:
    other = python("-c", PACKAGE, light, "torch").split()
    assert other[0] != packaged[0]
    assert latest(python) == other[0]
    assert python("-c", PACKAGE, light, "auto").split() == packaged
    assert latest(python) == packaged[0]


def test_list_takes_capitals(python: Command, packaged: list[str]) -> None:
    assert packaged[0].lower() in python("-m", "bentoml", "list", BENTO, "-o", "json")


def test_another_store_imports_what_this_one_exports(
    python: Command, packaged: list[str], light: Path, tmp_path: Path
) -> None:
    file = tmp_path / "classifier.bento"
    python("-m", "bentoml", "export", f"{BENTO}:latest", file)
    elsewhere = command_in(tmp_path / "store")
    elsewhere("-m", "bentoml", "import", file)
    assert latest(elsewhere) == packaged[0]
    path = elsewhere("-m", "bentoml", "models", "get", packaged[2], "-o", "path").strip()
    assert verify(Path(path)) == verify(light)
    elsewhere("-m", "bentoml", "delete", "--yes", packaged[0])
    assert packaged[0].lower() not in elsewhere("-m", "bentoml", "list", "-o", "json")
