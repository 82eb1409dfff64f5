from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from PIL import Image

from bentoml_img.labels import CIFAR10
from bentoml_img.training.classification import plots
from bentoml_img.training.classification.cifar10 import SIDE, Split
from bentoml_img.training.classification.evaluation import Evaluation

HISTORY = [
    {"step": 50 * i, "loss": 2 / i, "train_accuracy": 0.1 * i, "test_accuracy_2000": 0.05 * i}
    for i in range(1, 5)
]


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, 300)
    logits = random.normal(0, 1, (300, 10)) + 2 * np.eye(10)[labels]
    return Evaluation.of(logits.astype(np.float32), labels, CIFAR10)


def lines(axes: Axes) -> dict[str, tuple[Any, Any]]:
    """The points of each line, by what the legend calls it."""
    return {str(line.get_label()): (line.get_xdata(), line.get_ydata()) for line in axes.lines}


@pytest.mark.parametrize("n", [100, 3])  # of three, most classes have no image
def test_samples_are_in_the_row_of_their_class(train: Split, n: int) -> None:
    split = train.subset(range(n))
    (axes,) = plots.draw_samples(split).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(CIFAR10)
    (image,) = axes.images
    mosaic = np.asarray(image.get_array())
    cells = mosaic.reshape(len(CIFAR10), SIDE + 2, plots.COLUMNS, SIDE + 2, 3)
    for row, middle, label in zip(cells, axes.get_yticks(), range(len(CIFAR10)), strict=True):
        assert middle // (SIDE + 2) == label
        images = split.images[split.labels == label]
        shown = row[:SIDE, :, :SIDE].swapaxes(0, 1)
        np.testing.assert_array_equal(shown[: len(images)], images)
        assert (shown[len(images) :] == 255).all()


def test_the_confusion_matrix_has_its_counts(evaluation: Evaluation) -> None:
    (axes,) = plots.draw_confusion(evaluation).axes
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written == {
        (column, row): str(count) for (row, column), count in np.ndenumerate(evaluation.confusion)
    }
    (image,) = axes.images
    colours = np.asarray(image.get_array())
    np.testing.assert_array_equal(np.diag(colours), 0)
    errors = ~np.eye(10, dtype=bool)
    np.testing.assert_array_equal(colours[errors], evaluation.confusion[errors])
    assert axes.get_xlabel() == "predicted"
    assert axes.get_ylabel() == "true"
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == list(CIFAR10)
    accuracy = np.diag(evaluation.confusion).sum() / 300
    assert axes.get_title() == f"{accuracy:.2%} of 300 right"


def test_reliability_before_and_after(evaluation: Evaluation) -> None:
    pair = plots.draw_reliability(evaluation).axes
    for axes, measured, name in zip(
        pair, (evaluation.raw, evaluation.calibrated), ("before", "after"), strict=True
    ):
        filled = np.flatnonzero(measured.count)
        assert 0 < len(filled) < len(measured.count)
        bars = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
        heights = [bar.get_height() for bar in bars]
        np.testing.assert_allclose(heights, measured.accuracy[filled])
        middles = [bar.get_x() + bar.get_width() / 2 for bar in bars]
        np.testing.assert_allclose(middles, (filled + 0.5) / len(measured.count))
        diagonal, points = (np.asarray(line.get_xydata()) for line in axes.lines)
        np.testing.assert_array_equal(diagonal, [(0, 0), (1, 1)])
        expected = np.stack([measured.confidence, measured.accuracy], axis=1)[filled]
        np.testing.assert_allclose(points, expected)
        assert axes.get_title().startswith(name)
        assert axes.get_title().endswith(f"ECE {measured.expected_calibration_error:.2%}")


def test_curves() -> None:
    left, right = plots.draw_curves(HISTORY).axes
    (loss,) = lines(left).values()
    np.testing.assert_allclose(loss, ([50, 100, 150, 200], [2, 1, 2 / 3, 0.5]))
    training, test = sorted(lines(right).items(), reverse=True)
    assert training[0].startswith("training")
    np.testing.assert_allclose(training[1], ([50, 100, 150, 200], [10, 20, 30, 40]))
    assert test[0].startswith("test")
    np.testing.assert_allclose(test[1], ([50, 100, 150, 200], [5, 10, 15, 20]))
    assert right.get_legend() is not None


def test_no_window_without_a_display(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert plots.open_window(tmp_path / "samples.png") is None


def test_a_display_that_does_not_answer_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISPLAY", ":12345")
    Image.new("RGB", (8, 8)).save(tmp_path / "samples.png")
    window = plots.open_window(tmp_path / "samples.png")
    assert window is not None
    window.wait(60)
    assert capfd.readouterr() == ("", "")
