"""What can be tracked: a detector's answers, frame by frame."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bentoml_img.postprocessing.masks import InstanceMask


class Trackable(Protocol):
    """What a detector finds in a frame: N instances.

    `boxes_xyxy` has shape (N, 4), in pixels; `labels` are N ids, whose names are
    `names`; `scores`, shape (N,), are between 0 and 1.
    """

    @property
    def boxes_xyxy(self) -> npt.NDArray[np.floating[Any]]: ...
    @property
    def labels(self) -> npt.NDArray[np.integer[Any]]: ...
    @property
    def scores(self) -> npt.NDArray[np.floating[Any]]: ...
    @property
    def masks(self) -> Sequence[InstanceMask]: ...
    @property
    def names(self) -> Sequence[str]: ...
