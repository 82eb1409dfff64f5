"""Draws the photos of a batch: those with rare classes more often."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count

import numpy as np

from bentoml_img.arrays import Float32Array, Float64Array, Int64Array
from bentoml_img.training.errors import DatasetError
from bentoml_img.training.layouts import Sample
from bentoml_img.training.repeat_factors import repeat_factors

PRESENT = 0.005  # a class with a smaller share of the pixels does not count as present


@dataclass(frozen=True)
class Source:
    """Samples of one data set, and its weight among others: see `proportions`."""

    samples: Sequence[Sample]
    weight: float


class Sampler:
    """Draws samples: sources in given `proportions`, and photos with rare classes more often.

    `shares` (samples, classes) is the share of the pixels that each class has, `sources`
    (samples,) the index of each sample's source. DatasetError if no class is present.
    """

    def __init__(
        self,
        shares: Float32Array,
        sources: Int64Array,
        proportions: Sequence[float] | Float64Array,
        rare: float,
    ) -> None:
        present = shares > PRESENT
        self.classes = [k for k in range(1, shares.shape[1]) if present[:, k].any()]
        if not self.classes:
            raise DatasetError(f"no photo has {PRESENT:.1%} or more of any class")
        weight = repeat_factors(present, rare)
        for source, proportion in enumerate(proportions):
            mine = sources == source
            weight[mine] *= proportion / weight[mine].sum()
        self.probabilities = weight / weight.sum()
        self.members = {k: np.flatnonzero(present[:, k]) for k in self.classes}

    def draw(self, n: int, rng: np.random.Generator) -> Iterator[int]:
        """The indices of n samples; then, without end, replacements for them."""
        places = rng.choice(len(self.probabilities), n, p=self.probabilities)
        more = (rng.choice(len(self.probabilities), p=self.probabilities) for _ in count())
        return map(int, chain(places, more))

    def draw_class(self, rng: np.random.Generator) -> tuple[int, int]:
        """A class, drawn uniformly, and the index of a sample that has it."""
        class_id = int(rng.choice(self.classes))
        members = self.members[class_id]
        weights = self.probabilities[members]
        return class_id, int(rng.choice(members, p=weights / weights.sum()))
