"""What a model reaches on data sets: as --evaluate prints it, and as a manifest keeps it."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from bentoml_img.bundle import Bundle

OnPhoto = Callable[[int, int], None]
"""Called as photos are measured or read, with the numbers of photos done and in all."""


def unwatched(done: int, total: int) -> None:
    """An OnPhoto that tells nobody."""


@dataclass(frozen=True)
class Figure:
    """A measurement on a data set, which rests on `n` photos, or instances in them."""

    model: str
    dataset: str
    metric: str
    value: float
    n: int

    @property
    def name(self) -> str:
        """What it is called among a manifest's scores."""
        return f"{self.dataset}_{self.metric}"

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def record(folder: Path, figures: Iterable[Figure], metric: str) -> None:
    """Put those figures into a bundle's manifest whose metric is, or begins with, `metric`."""
    scores = {figure.name: figure.value for figure in figures if figure.metric.startswith(metric)}
    Bundle.open(folder).add_scores(scores)
