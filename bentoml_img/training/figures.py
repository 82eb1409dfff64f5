"""Evaluation results: as --evaluate prints them, and as a manifest keeps them."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from bentoml_img.bundle import Bundle

OnPhoto = Callable[[int, int], None]
"""Called after each photo with two counts: photos done, and all photos."""


def unwatched(done: int, total: int) -> None:
    """An OnPhoto that does nothing."""


@dataclass(frozen=True)
class Figure:
    """The value of a metric on a data set, measured on `n` photos or instances."""

    model: str
    dataset: str
    metric: str
    value: float
    n: int

    @property
    def name(self) -> str:
        """Its key in a manifest's scores."""
        return f"{self.dataset}_{self.metric}"

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def record(folder: Path, figures: Iterable[Figure], metric: str) -> None:
    """Add the figures whose metric begins with `metric` to the scores of a bundle's manifest."""
    scores = {figure.name: figure.value for figure in figures if figure.metric.startswith(metric)}
    Bundle.open(folder).add_scores(scores)
