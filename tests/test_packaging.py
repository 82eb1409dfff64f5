"""A classifier in a store of its own, by the commands that a user has."""

import ast
import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import bentoml
import pytest
import yaml
from click.testing import CliRunner

import bentoml_img_classify
import bentoml_img_detect
import bentoml_img_segment
from bentoml_img import packaging
from bentoml_img.bundle import GRAPH, GRAPH_DATA, WEIGHTS, Bundle, BundleError
from bentoml_img.engines import openvino
from bentoml_img.packaging import PackagedBento, package
from bentoml_img.paths import ROOT
from services.page import FILES

BENTO = "PytorchImageClassifier"
PACKAGE = """
import sys
from pathlib import Path
from bentoml_img.packaging import package
packaged = package(Path(sys.argv[1]), *sys.argv[2:])
print(packaged.tag, packaged.path)
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
    Bundle.write(folder, dataclasses.replace(Bundle.open(bundle).manifest, files={}), files)
    return folder


@pytest.fixture(scope="module")
def packaged(python: Command, light: Path) -> list[str]:
    """Tag, folder and model tag of the first packaging."""
    return python("-c", PACKAGE, light, "auto").split()


def model_of(bento: str) -> str:
    """The tag of the model that a Bento, by its folder, serves."""
    content = yaml.safe_load(Path(bento, "bento.yaml").read_text())
    return str(content["args"]["bundle"])


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
        *(f"services/page/{name}" for name in FILES.values()),
        "services/requirements/classifier-openvino.txt",
        "bentoml_img/classify.py",
        "bentoml_img/engines/openvino.py",
    } <= files
    folders = {Path(name).parts[0] for name in files if "/" in name}
    assert folders == {"services", "bentoml_img"}
    assert not [name for name in files if name.endswith((".safetensors", ".pyc", "torch.txt"))]


def imports_of(source: Path) -> Iterator[Path]:
    """This repository's modules that a module imports, also when they are needed only."""
    nodes: list[ast.AST] = [ast.parse(source.read_text())]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.ImportFrom) and node.module:
            folder = ROOT / node.module.replace(".", "/")
            names = [folder / name.name for name in node.names]
            for module in (folder, folder / "__init__", *names):
                if module.with_suffix(".py").is_file():
                    yield module.with_suffix(".py")


def test_a_bento_has_all_that_its_modules_import() -> None:
    sources = packaging._sources()
    imported = {module for path in sources if path.suffix == ".py" for module in imports_of(path)}
    assert ROOT / "bentoml_img" / "engines" / "openvino.py" in imported
    assert imported <= sources


def test_what_is_packaged_gives_the_version(packaged: list[str]) -> None:
    source = Path(packaged[1]) / "src"
    files = {path.relative_to(source) for path in source.rglob("*.*") if path.is_file()}
    others = {Path("bentofile.yaml"), Path("services/requirements/classifier-openvino.txt")}
    assert files - others == {path.relative_to(ROOT) for path in packaging._sources()}


def test_the_image_gets_the_locked_packages_and_no_others(packaged: list[str]) -> None:
    lock = ROOT / "services" / "requirements" / "classifier-openvino.txt"
    assert Path(packaged[1], "env/python/requirements.txt").read_text() == lock.read_text()


def test_the_model_in_the_store_is_the_bundle(
    python: Command, packaged: list[str], light: Path
) -> None:
    path = python("-m", "bentoml", "models", "get", model_of(packaged[1]), "-o", "path").strip()
    assert Bundle.open(Path(path)).verify().manifest == Bundle.open(light).verify().manifest


class Built(Exception):
    """In place of a Bento that is built."""


def test_the_version_follows_what_is_said_of_a_bento(
    light: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = set()

    def build(*_: object, version: str, **__: object) -> None:
        versions.add(version)
        raise Built

    monkeypatch.setattr(bentoml, "build", build)
    monkeypatch.setattr(packaging, "_store_model", lambda *_: "cifar_lite:1")
    monkeypatch.setattr(packaging, "_latest", lambda _: None)
    monkeypatch.setattr(packaging, "_discard", lambda _: None)
    labelled = dataclasses.replace(packaging.SERVICES["classification"], labels={"a": "b"})
    for changes in (
        {},
        {"SERVICES": {"classification": labelled}},
        {"_description": lambda *_: ""},
    ):
        with monkeypatch.context() as changed:
            for name, value in changes.items():
                changed.setattr(packaging, name, value)
            for _ in range(2):
                with pytest.raises(Built):
                    package(light)
    assert len(versions) == 3


def test_the_chosen_engine_becomes_the_latest(
    python: Command, packaged: list[str], light: Path
) -> None:
    other = python("-c", PACKAGE, light, "torch").split()
    assert other[0] != packaged[0]
    assert latest(python) == other[0]
    assert python("-c", PACKAGE, light, "auto").split() == packaged
    assert latest(python) == packaged[0]


@pytest.fixture(scope="module")
def light_int8(light: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle `light` with an int8 graph whose cost was measured."""
    folder = tmp_path_factory.mktemp("int8")
    files = (*Bundle.open(light).copy(folder).manifest.files, "model_int8.xml", "model_int8.bin")
    for name in files[-2:]:
        (folder / name).write_text(name)
    scores = {"int8_loss": 0.0005}
    Bundle.write(folder, dataclasses.replace(Bundle.open(light).manifest, scores=scores), files)
    return folder


def test_the_chosen_precision_goes_into_the_bento(python: Command, light_int8: Path) -> None:
    bentos = [python("-c", PACKAGE, light_int8, "auto", it).split() for it in ("fp32", "int8")]
    assert bentos[0][0] != bentos[1][0]
    assert model_of(bentos[0][1]) == model_of(bentos[1][1])
    for bento, precision in zip(bentos, ("fp32", "int8"), strict=True):
        content = yaml.safe_load(Path(bento[1], "bento.yaml").read_text())
        assert content["labels"]["precision"] == content["args"]["precision"] == precision
        assert f"on openvino in {precision}," in Path(bento[1], "README.md").read_text()


def test_a_precision_whose_cost_is_not_known_is_refused(light_int8: Path, tmp_path: Path) -> None:
    manifest = Bundle.open(light_int8).copy(tmp_path).manifest
    Bundle.write(tmp_path, dataclasses.replace(manifest, scores={}), manifest.files)
    with pytest.raises(
        BundleError, match="int8 costs cifar_lite in accuracy has not been measured"
    ):
        package(tmp_path, "auto", "int8")


STREET = str(ROOT / "images" / "street.jpg")


@pytest.mark.parametrize("script", [bentoml_img_classify, bentoml_img_segment, bentoml_img_detect])
def test_every_script_tells_its_version(script: ModuleType) -> None:
    told = CliRunner().invoke(script.main, ["--version"])
    assert told.output == f"main, version {version('bentoml-img')}\n"


@pytest.mark.parametrize(
    ("script", "to_package", "to_compute"),
    [
        (bentoml_img_classify, ["--pretrained"], ["--evaluate", str(ROOT)]),
        (bentoml_img_segment, [], [STREET]),
        (bentoml_img_detect, [], [STREET]),
    ],
)
def test_every_script_takes_the_precision(
    script: ModuleType,
    to_package: list[str],
    to_compute: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def record(bundle: Path, engine: str, precision: str) -> PackagedBento:
        asked.append((engine, precision))
        return PackagedBento("Service:1", bundle)

    monkeypatch.setattr(packaging, "package", record)
    monkeypatch.setattr(openvino, "has_bfloat16", lambda: False)
    done = CliRunner().invoke(script.main, [*to_package, "--precision", "bf16"])
    assert (done.exit_code, asked) == (0, [("auto", "bf16")])
    refused = CliRunner().invoke(script.main, [*to_compute, "--precision", "bf16"])
    assert refused.exit_code == 1
    others = "fp32 or int8" if script is bentoml_img_segment else "fp32"
    assert refused.stderr == f"Error: this processor has no bfloat16: choose {others}\n"


def test_what_is_about_to_be_trained_has_fp32_only() -> None:
    refused = CliRunner().invoke(bentoml_img_classify.main, ["--precision", "int8"])
    assert refused.exit_code == 2
    assert "--precision is for a bundle that is there" in refused.stderr


def test_list_takes_capitals(python: Command, packaged: list[str]) -> None:
    assert packaged[0].lower() in python("-m", "bentoml", "list", BENTO, "-o", "json")


def test_another_store_imports_what_this_one_exports(
    python: Command, packaged: list[str], light: Path, tmp_path: Path
) -> None:
    file = tmp_path / "classifier.bento"
    python("-m", "bentoml", "export", packaged[0], file)
    elsewhere = command_in(tmp_path / "store")
    elsewhere("-m", "bentoml", "import", file)
    assert latest(elsewhere) == packaged[0]
    path = elsewhere("-m", "bentoml", "models", "get", model_of(packaged[1]), "-o", "path").strip()
    assert Bundle.open(Path(path)).verify().manifest == Bundle.open(light).verify().manifest
    elsewhere("-m", "bentoml", "delete", "--yes", packaged[0])
    assert packaged[0].lower() not in elsewhere("-m", "bentoml", "list", "-o", "json")
