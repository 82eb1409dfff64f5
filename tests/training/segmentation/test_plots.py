from typing import Any

import numpy as np
from matplotlib.axes import Axes

from bentoml_img.training.segmentation.plots import draw_curves

LOG = [
    {"step": 20, "figures": {"deeplabv3_lite": 2.0, "fcn_lite": 3.0}},
    {"step": 40, "figures": {"deeplabv3_lite": 1.0, "fcn_lite": 1.5}},
]
HISTORY = [
    {"step": 30, "seconds": 1.0, "fcn_lite_voc_miou": 0.25, "iou": {"fcn_lite_voc": [0.5]}},
    {"step": 40, "seconds": 2.0, "fcn_lite_voc_miou": 0.75, "iou": {"fcn_lite_voc": [1.0]}},
]


def lines(axes: Axes) -> dict[str, Any]:
    """The points of each line, by what the legend calls it."""
    legend = axes.get_legend()
    assert legend is not None
    names = [text.get_text() for text in legend.get_texts()]
    return {n: np.array(line.get_xydata()) for n, line in zip(names, axes.lines, strict=True)}


def test_curves_are_of_each_loss_and_of_each_miou() -> None:
    left, right = draw_curves(LOG, HISTORY).axes
    losses, mious = lines(left), lines(right)
    assert losses.keys() == {"deeplabv3_lite", "fcn_lite"}
    np.testing.assert_array_equal(losses["deeplabv3_lite"], [(20, 2), (40, 1)])
    np.testing.assert_array_equal(losses["fcn_lite"], [(20, 3), (40, 1.5)])
    assert mious.keys() == {"fcn lite voc"}
    np.testing.assert_array_equal(mious["fcn lite voc"], [(30, 0.25), (40, 0.75)])


def test_without_a_validation_set_there_are_the_losses_alone() -> None:
    left, right = draw_curves(LOG, []).axes
    assert len(left.lines) == 2
    assert not right.lines
    assert right.get_legend() is None
