"""What a model reaches, as --evaluate prints it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from bentoml_img.cli.console import cleared, work_bar

OnPhoto = Callable[[], None]
"""Called after each photo that is measured."""


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


def watched(figures: Callable[[OnPhoto], Iterator[Figure]], photos: int) -> Iterator[Figure]:
    """The figures of so many photos, while a bar shows how many are done."""
    with work_bar() as bar:
        task = bar.add_task("photos", total=photos, speed="")
        for figure in figures(lambda: bar.advance(task)):
            with cleared(bar):
                yield figure
