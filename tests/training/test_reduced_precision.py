import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from bentoml_img.arrays import Float32Array
from bentoml_img.bundle import Bundle, BundleError
from bentoml_img.classify import Classifier
from bentoml_img.labels import CIFAR10
from bentoml_img.paths import ROOT, SHIPPED
from bentoml_img.training.classification import cifar10
from bentoml_img.training.classification.cifar10 import Split
from bentoml_img.training.reduced_precision import command, comparison, reduction
from bentoml_img.training.reduced_precision.tasks import TASKS
from tests.training.scenes import write_scenes
from tests.training.streets import write_streets


def run(bundle: Path, photos: Path, data: Path, *options: str) -> Result:
    arguments = [bundle, *options, "--photos", photos, "--data", data]
    return CliRunner().invoke(command.main, list(map(str, arguments)))


def same_graph(graph: Path, inputs: Sequence[Float32Array], target: Path) -> None:
    """In place of a quantized one, which takes its time."""
    assert all(image.shape[:2] == (1, 3) for image in inputs)
    for path, copied in ((graph, target), (graph.with_suffix(".bin"), target.with_suffix(".bin"))):
        shutil.copyfile(path, copied)


@pytest.fixture
def sure(bundle: Path, photos: dict[Path, str], monkeypatch: pytest.MonkeyPatch) -> Split:
    """As CIFAR-10, the photos of which the shipped classifier is sure, with its labels."""
    images = [Image.open(path).convert("RGB").resize((32, 32)) for path in photos]
    answers = Classifier.from_bundle(bundle)(images)
    chosen = [i for i, answer in enumerate(answers) if answer.score > 0.9]
    assert len(chosen) > 10
    split = Split(
        np.stack([np.asarray(images[i]) for i in chosen]),
        np.array([CIFAR10.index(answers[i].label) for i in chosen]),
    )
    monkeypatch.setattr(cifar10, "load", lambda root: (split, split))
    return split


@pytest.mark.usefixtures("sure")
def test_an_int8_graph_and_what_it_costs(
    bundle: Path, photos: dict[Path, str], tmp_path: Path
) -> None:
    Bundle.open(bundle).copy(tmp_path / "net")
    (tmp_path / "photos").mkdir()
    for photo in photos:  # of others no network is sure
        shutil.copy(photo, tmp_path / "photos")
    (tmp_path / "net" / "README.md").write_text("stays")
    done = run(tmp_path / "net", tmp_path / "photos", tmp_path)
    assert done.exit_code == 0, done.output
    manifest = Bundle.open(tmp_path / "net").verify().manifest
    assert {"model_int8.xml", "model_int8.bin"} < set(manifest.files)
    scores = json.loads(done.stdout)
    assert scores.items() <= manifest.scores.items()
    assert (
        manifest.scores["cifar10_accuracy"]
        == Bundle.open(bundle).verify().manifest.scores["cifar10_accuracy"]
    )
    assert (scores["int8_loss"], scores["int8_cifar10_accuracy"]) == (0, 1)
    assert scores["int8_max_difference"] > 1e-4, "it is another network"
    assert scores["int8_speed_over_fp32"] > 0
    names = {path.name for path in (tmp_path / "net").iterdir()}
    assert names == {"manifest.json", "README.md", *manifest.files}
    size, of_fp32 = ((tmp_path / "net" / f"model{kind}.bin").stat() for kind in ("_int8", ""))
    assert size.st_size < 0.6 * of_fp32.st_size


@pytest.mark.usefixtures("sure")
def test_what_costs_too_much_changes_nothing(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Bundle.open(bundle).copy(tmp_path / "net").manifest
    monkeypatch.setattr(reduction, "quantize", same_graph)
    task = replace(TASKS["classification"], max_loss=-0.001)
    monkeypatch.setitem(TASKS, "classification", task)
    refused = run(tmp_path / "net", ROOT / "images", tmp_path)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.endswith("Error: int8 costs 0.00%, and -0.10% is the most\n")
    assert Bundle.open(tmp_path / "net").verify().manifest == before
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert names == {"net", *(f"net/{name}" for name in ("manifest.json", *before.files))}


@pytest.fixture
def net(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle whose int8 graph is the same, which is not measured."""
    Bundle.open(bundle).copy(tmp_path / "net")
    monkeypatch.setattr(reduction, "quantize", same_graph)
    monkeypatch.setattr(reduction, "compare", lambda *_: {})
    monkeypatch.setattr(reduction, "measure", lambda *_: {"accuracy": 1.0})
    return tmp_path / "net"


def test_ctrl_c_changes_nothing(net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = Bundle.open(net).manifest
    monkeypatch.setattr(reduction, "measure", interrupt)
    assert run(net, ROOT / "images", tmp_path).exit_code == 130
    assert Bundle.open(net).verify().manifest == before


def test_what_is_less_than_before_is_lost(net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = [Image.new("RGB", (32, 32))] * 2
    for after, loss in ((0.4, 0.1), (0.6, -0.1)):
        values = iter((0.5, after))
        monkeypatch.setattr(reduction, "measure", lambda *_, it=values: {"accuracy": next(it)})
        if loss > 0:
            with pytest.raises(BundleError, match=r"int8 costs 10.00%, and 0.10% is the most"):
                reduction.reduce(net, "int8", photos, net)
        else:
            expected = {"int8_accuracy": after, "int8_loss": loss}
            assert reduction.reduce(net, "int8", photos, net) == expected


def test_labels_are_compared_on_other_photos_than_the_calibrations(
    net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibrating: list[int] = []
    compared: list[int] = []

    def first_input(_: object, photo: Image.Image) -> Float32Array:
        calibrating.append(photo.width)
        return np.zeros((1, 3, 32, 32), np.float32)

    def compare(*given: Any) -> dict[str, float]:
        compared.extend(photo.width for photo in given[3])
        return {}

    task = replace(TASKS["classification"], first_input=first_input)
    monkeypatch.setitem(TASKS, "classification", task)
    monkeypatch.setattr(reduction, "compare", compare)
    photos = [Image.new("RGB", (width, 1)) for width in range(1, 6)]
    reduction.reduce(net, "int8", photos, net)
    assert (calibrating, compared) == ([1, 3, 5], [2, 4])


@pytest.mark.parametrize("flipped", [1, 2])
def test_networks_are_compared_in_labels_and_speed(
    flipped: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second takes half the time; of its labels some are others, of 99 in 100 that must not."""
    now = 0.0
    monkeypatch.setattr(comparison, "time", SimpleNamespace(perf_counter=lambda: now))

    def taking(seconds: float) -> Any:
        def answer(photos: Sequence[Image.Image]) -> None:
            nonlocal now
            now += seconds

        return answer

    expected = np.tile(np.array([4, 0], np.float32), (100, 1))
    given = expected.copy()
    given[:flipped] = 0, 4
    task = replace(TASKS["classification"], logits=lambda *_: (expected, given))
    photos = [Image.new("RGB", (32, 32))]
    if flipped > 1:
        with pytest.raises(BundleError, match=r"disagree on 2.0% of the labels, and 1% is"):
            comparison.compare(task, taking(0.2), taking(0.1), photos, "int8")
    else:
        scores = comparison.compare(task, taking(0.2), taking(0.1), photos, "int8")
        assert scores["int8_label_agreement"] == 0.99
        assert scores["int8_speed_over_fp32"] == 2


@pytest.mark.parametrize(
    ("model", "graph", "figures"),
    [
        ("fcn_lite", "model_int8.xml", {"coco_miou", "voc_miou"}),
        (
            "maskrcnn_lite",
            "trunk_int8.xml",
            {f"{data}_{kind}_ap" for data in ("street", "coco") for kind in ("mask", "box")},
        ),
    ],
)
def test_every_task_has_its_figures(
    model: str, graph: str, figures: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Bundle.open(SHIPPED / model).copy(tmp_path / model)
    for name in ("coco", "street"):
        write_streets(tmp_path / name, 2, "val")
    write_scenes(tmp_path / "VOCdevkit" / "VOC2012", 2, "val")
    monkeypatch.setattr(reduction, "quantize", same_graph)
    done = run(tmp_path / model, tmp_path / "street" / "val", tmp_path)
    assert done.exit_code == 0, done.output
    manifest = Bundle.open(tmp_path / model).verify().manifest
    assert graph in manifest.files
    assert {f"int8_{name}" for name in figures} < set(manifest.scores)
    assert manifest.scores["int8_loss"] == 0
    assert manifest.scores["int8_label_agreement"] == 1
    assert manifest.scores["int8_max_difference"] == 0


def test_the_bundle_may_be_the_folder_one_is_in(net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(net)
    done = run(Path("."), ROOT / "images", net.parent)
    assert done.exit_code == 0, done.output
    assert Bundle.open(net).verify().manifest.scores["int8_loss"] == 0


def test_wrong_usage_is_one_line(bundle: Path, tmp_path: Path) -> None:
    Bundle.open(bundle).copy(tmp_path / "net")
    for refused, says in (
        (run(tmp_path / "net", tmp_path, tmp_path), "has 0 photos"),
        (run(tmp_path, ROOT / "images", tmp_path), "is not a model bundle"),
    ):
        assert refused.exit_code == 1
        assert says in refused.stderr
        assert refused.stderr.count("\n") == 1
