import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from torch import Tensor

import bentoml_img_classify
from bentoml_img import packaging
from bentoml_img.bundle import GRAPH_DATA, WEIGHTS, Bundle, Manifest
from bentoml_img.classify import Classifier
from bentoml_img.images import read_rgb
from bentoml_img.packaging import PackagedBento
from bentoml_img.paths import SHIPPED
from bentoml_img.training.classification import cifar10
from bentoml_img.training.classification import plots as classification_plots
from bentoml_img.training.classification import trainer as classification_trainer
from bentoml_img.training.run import Progress
from tests.training.tiny import make_split, tiny_recipe

Invoke = Callable[..., Result]


class InterruptedTrainer(classification_trainer.Trainer):
    """Ctrl-C arrives in the step `interrupt_in`, once."""

    interrupt_in = 0

    def _one_step(self, batch: tuple[Tensor, Tensor]) -> Progress:
        if self.step + 1 == InterruptedTrainer.interrupt_in:
            InterruptedTrainer.interrupt_in = 0
            signal.raise_signal(signal.SIGINT)
        return super()._one_step(batch)


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Invoke]:
    """Run the command in an empty folder, with little data and no BentoML."""
    splits = make_split(60, 0), make_split(40, 1)

    def package(bundle: Path, engine: str, precision: str) -> PackagedBento:
        return PackagedBento("PytorchImageClassifier:1", bundle)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cifar10, "load", lambda root: splits)
    monkeypatch.setattr(classification_trainer, "Recipe", tiny_recipe)
    monkeypatch.setattr(classification_trainer, "Trainer", InterruptedTrainer)
    monkeypatch.setattr(packaging, "package", package)
    command = ["python3", "bentoml_img_classify.py", "--data-dir", "my data"]
    monkeypatch.setattr(sys, "orig_argv", command)
    monkeypatch.setattr(classification_plots, "open_window", lambda picture: None)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(InterruptedTrainer, "interrupt_in", 0)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(bentoml_img_classify.main, arguments)

    yield run
    torch.set_num_threads(threads)


def assert_one_line_error(result: Result, *parts: str) -> None:
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    for part in ("Error: ", *parts):
        assert part in result.stderr


def assert_same_network(one: Manifest, other: Manifest) -> None:
    """Equal bit by bit, but for the names of the graph's nodes, which the exporter numbers."""
    assert one.scores == other.scores
    assert one.temperature == other.temperature
    for name in (WEIGHTS, GRAPH_DATA):
        assert one.files[name] == other.files[name]


def test_from_data_to_a_bento(invoke: Invoke) -> None:
    result = invoke("--data-dir", "data", "--epochs", "2")
    assert result.exit_code == 0, result.output
    assert result.stdout == "PytorchImageClassifier:1\n"
    assert "bentoml serve PytorchImageClassifier:latest" in result.stderr
    assert "accuracy_frog" in result.stderr
    folder = Path("runs/classifier")
    assert {path.name for path in folder.iterdir()} == {
        "samples.png",
        "checkpoint.pt",
        "curves.png",
        "confusion.png",
        "reliability.png",
        "cifar_lite",
    }
    manifest = Bundle.open(folder / "cifar_lite").verify().manifest
    assert "60 training images" in manifest.trained_on

    for model in (str(folder / "cifar_lite"), "cifar_lite"):
        packaged = invoke("--model", model)
        assert (packaged.exit_code, packaged.stdout) == (0, "PytorchImageClassifier:1\n")

    Path("data").mkdir()
    evaluated = invoke("--model", str(folder / "cifar_lite"), "--evaluate", "data")
    assert evaluated.exit_code == 0, evaluated.output
    figures = [json.loads(line) for line in evaluated.stdout.splitlines()]
    assert {"accuracy", "accuracy_cat", "ece_uncalibrated", "ece_calibrated"} <= {
        figure["metric"] for figure in figures
    }
    for figure in figures:
        assert set(figure) == {"model", "dataset", "metric", "value", "n"}
        assert figure["value"] == pytest.approx(manifest.scores[f"cifar10_{figure['metric']}"])

    again = invoke("--data-dir", "data", "--epochs", "2")
    assert_one_line_error(again, "checkpoint.pt exists", "--resume", "another output folder")
    resumed = invoke("--data-dir", "data", "--epochs", "2", "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert_same_network(Bundle.open(folder / "cifar_lite").verify().manifest, manifest)


def test_ctrl_c_and_resume_give_what_an_uninterrupted_run_gives(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--data-dir", "data", "--epochs", "2", "--seed", "7")
    monkeypatch.setattr(InterruptedTrainer, "interrupt_in", 4)
    stopped = invoke(*options, "--output-dir", "stopped")
    assert stopped.exit_code == 130
    assert "saved step 4 of 6" in stopped.stderr
    command = "python3 bentoml_img_classify.py --data-dir 'my data' --resume"
    assert command in stopped.stderr
    assert not Path("stopped/cifar_lite").exists()

    assert invoke(*options, "--output-dir", "stopped", "--resume").exit_code == 0
    assert invoke(*options, "--output-dir", "whole").exit_code == 0
    assert_same_network(
        Bundle.open(Path("stopped/cifar_lite")).verify().manifest,
        Bundle.open(Path("whole/cifar_lite")).verify().manifest,
    )


def test_another_recipe_cannot_be_resumed(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(InterruptedTrainer, "interrupt_in", 1)
    assert invoke("--data-dir", "data", "--epochs", "1").exit_code == 130
    result = invoke("--data-dir", "data", "--epochs", "1", "--seed", "1", "--resume")
    assert result.exit_code == 1
    assert "Error: the checkpoint runs/classifier/checkpoint.pt was made with seed=0" in (
        result.stderr
    )


def test_nothing_to_resume(invoke: Invoke) -> None:
    assert_one_line_error(invoke("--data-dir", "data", "--resume"), "no checkpoint in")


def test_without_network_and_data_the_ways_out_are_named(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cifar10, "URL", "http://127.0.0.1:9/cifar-10-python.tar.gz")
    result = invoke()
    assert_one_line_error(result, "cannot download", "--data-dir DIR", "--pretrained")
    assert not Path("runs/classifier").exists()


def test_an_empty_data_dir_is_told(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    result = CliRunner().invoke(bentoml_img_classify.main, ["--data-dir", "/nowhere"])
    assert_one_line_error(result, "no CIFAR-10 in /nowhere")


def test_training_without_its_packages_names_the_extra() -> None:
    program = """
import sys
sys.modules["torch"] = None
import bentoml_img_classify
bentoml_img_classify.main(["--data-dir", "data"])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: torch is not installed: pip install -e '.[train]'\n"


def test_evaluating_a_folder_without_the_data() -> None:
    result = CliRunner().invoke(bentoml_img_classify.main, ["--evaluate", str(SHIPPED)])
    assert_one_line_error(result, f"no CIFAR-10 in {SHIPPED}")


def test_photos_are_labelled(invoke: Invoke, photos: dict[Path, str], tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for photo in list(photos)[:3]:
        shutil.copy(photo, folder)
    (folder / "video.mp4").write_bytes(b"no photo, and passed over")
    (folder / "notes.txt").write_text("no photo either")
    classifier = Classifier.from_bundle(SHIPPED / "cifar_lite")
    expected = classifier([read_rgb(p, classifier.decode_at_least) for p in list(photos)[:3]])

    done = invoke("photos")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"photos/{photo.name}: {answer.label} {answer.score:.2f}"
        for photo, answer in zip(photos, expected, strict=False)
    ]
    as_json = invoke("photos", "--json", "--engine", "openvino")
    assert [json.loads(line) for line in as_json.stdout.splitlines()] == [
        {"file": f"photos/{photo.name}", **asdict(answer)}
        for photo, answer in zip(photos, expected, strict=False)
    ]


def test_what_is_no_photo_is_named_and_the_others_are_labelled(
    invoke: Invoke, photos: dict[Path, str], tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("no photo")
    photo = next(iter(photos))
    done = invoke("notes.txt", str(photo))
    assert done.exit_code == 1
    assert done.stdout.startswith(f"{photo}: ")
    assert done.stderr.startswith("Error: notes.txt: not a picture in a format that is read here")
    (tmp_path / "empty").mkdir()
    assert_one_line_error(invoke("empty"), "no pictures in empty")


def test_options_that_exclude_each_other(invoke: Invoke) -> None:
    assert invoke("--pretrained", "--evaluate", ".").exit_code == 2
    assert invoke("--evaluate", ".", ".").exit_code == 2
    assert "--json is for PATHS" in invoke("--json", "--pretrained").stderr
    assert "--data-dir is for training" in invoke(".", "--data-dir", ".").stderr
    assert "/dev/null is not a folder" in invoke("--output-dir", "/dev/null").stderr
    assert invoke("--pretrained", "--model", str(SHIPPED / "cifar_lite")).exit_code == 2
    for model, task in (("fcn_lite", "segmentation"), ("maskrcnn_lite", "detection")):
        other_task = invoke("--model", str(SHIPPED / model), "--evaluate", ".")
        assert other_task.exit_code == 2
        assert f"{model} is a bundle for {task}" in other_task.stderr
    assert "--precision is for a bundle that is there" in invoke("--precision", "bf16").stderr
    result = invoke("--pretrained", "--seed", "0")
    assert result.exit_code == 2
    assert "--seed is for training" in result.stderr
    for arguments in (["--pretrained"], ["--evaluate", "."]):
        assert "--data-dir is for training" in invoke(*arguments, "--data-dir", ".").stderr
