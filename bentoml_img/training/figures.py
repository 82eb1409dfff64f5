"""What a model reaches, as --evaluate prints it."""

import json
from dataclasses import asdict, dataclass


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
