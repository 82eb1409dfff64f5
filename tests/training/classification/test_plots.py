from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bentoml_img.labels import CIFAR10
from bentoml_img.training.classification import plots
from bentoml_img.training.classification.cifar10 import Split
from bentoml_img.training.classification.evaluation import Evaluation

HISTORY = [
    {"step": 50 * i, "loss": 2 / i, "train_accuracy": 0.1 * i, "test_accuracy_2000": 0.1 * i}
    for i in range(1, 5)
]


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, 300)
    logits = random.normal(0, 1, (300, 10)) + 2 * np.eye(10)[labels]
    return Evaluation.of(logits.astype(np.float32), labels, CIFAR10)


def assert_picture(path: Path) -> None:
    """A PNG that shows something, and nothing left beside it."""
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert len(image.convert("RGB").getcolors(1 << 24) or []) > 10
    assert list(path.parent.iterdir()) == [path]


def test_samples(tmp_path: Path, train: Split) -> None:
    plots.save_samples(train, tmp_path / "samples.png")
    assert_picture(tmp_path / "samples.png")


def test_samples_of_a_split_without_some_classes(tmp_path: Path, train: Split) -> None:
    plots.save_samples(train.subset(3), tmp_path / "samples.png")
    assert_picture(tmp_path / "samples.png")


def test_confusion(tmp_path: Path, evaluation: Evaluation) -> None:
    plots.save_confusion(evaluation, tmp_path / "confusion.png")
    assert_picture(tmp_path / "confusion.png")


def test_reliability(tmp_path: Path, evaluation: Evaluation) -> None:
    plots.save_reliability(evaluation, tmp_path / "reliability.png")
    assert_picture(tmp_path / "reliability.png")


def test_curves(tmp_path: Path) -> None:
    plots.save_curves(HISTORY, tmp_path / "curves.png")
    assert_picture(tmp_path / "curves.png")


def test_no_window_without_a_display(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert plots.open_window(tmp_path / "samples.png") is None


def test_a_display_that_does_not_answer_harms_nobody(
    tmp_path: Path, train: Split, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISPLAY", ":12345")
    plots.save_samples(train, tmp_path / "samples.png")
    window = plots.open_window(tmp_path / "samples.png")
    assert window is not None
    window.wait(60)
    assert capfd.readouterr() == ("", "")
