"""A detector whose answers are known: what it finds in `tests.training.streets`."""

from collections.abc import Mapping

import numpy as np

from bentoml_img.arrays import Float32Array
from bentoml_img.engines.interface import RawDetections
from bentoml_img.labels import TRAFFIC
from tests.training.streets import COLOURS, CROWD

LABELS = {"person": COLOURS[1], "car": COLOURS[3], "bus": COLOURS[6]}
CLASSES = tuple(LABELS)


class Seer:
    """The engine of an `AsIs`: finds every coloured rectangle, and people in crowds.

    It is `blind` for some classes. `names` are what it takes some classes for; one class it
    finds `twice`.
    """

    def __init__(
        self,
        blind: tuple[str, ...] = (),
        shift: int = 0,
        score: float = 0.9,
        twice: str = "",
        names: Mapping[str, str] | None = None,
    ) -> None:
        self.colours = {name: c for name, c in LABELS.items() if name not in blind}
        self.shift, self.score, self.twice = shift, score, twice
        self.names = names or {}

    def __call__(
        self, image: Float32Array, shape: tuple[int, int], score_threshold: float
    ) -> RawDetections:
        photo = np.moveaxis(image[0], 0, 2)
        boxes, labels = [], []
        seen = [*self.colours.items(), ("person", CROWD)]
        for name, colour in seen:
            where = (photo == colour).all(axis=-1)
            if where.any():
                rows, columns = np.nonzero(where)
                box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                for _ in range(2 if name == self.twice else 1):
                    boxes.append([side + self.shift for side in box])
                    labels.append(TRAFFIC.index(self.names.get(name, name)))
        n = len(boxes)
        return RawDetections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array(labels, np.int64),
            np.full(n, self.score, np.float32),
            np.ones((n, 28, 28), np.float32),
        )
