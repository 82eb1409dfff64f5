"""Draws the scenes of a batch, and instances to paste into them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count

import numpy as np

from bentoml_img.labels import TRAFFIC
from bentoml_img.training.detection.data import Instance, Scene
from bentoml_img.training.proportions import proportions
from bentoml_img.training.repeat_factors import repeat_factors

MIN_PASTED = 150  # pixels of an instance in its own scene, at least
PASTED_BELOW = 0.25  # times the instances of the most common class: only rarer classes are pasted
EMPTY = 1 / 3  # weight of a scene without instances, where one with common classes has 1


@dataclass(frozen=True)
class Source:
    """Scenes of one data set, its weight among others (see `proportions`), and their crops.

    `sides` is the range of the short side in pixels, after scaling. Crops have `enlarged` times
    the area, so that large things fit, and a batch has `enlarged` times fewer scenes, rounded
    up. `pastes` says whether instances are pasted from and into these scenes.
    """

    scenes: Sequence[Scene]
    weight: float
    sides: tuple[float, float]
    enlarged: int = 1
    pastes: bool = False

    def in_batch(self, n: int) -> int:
        """The number of scenes in a batch that would have `n` of them without `enlarged`."""
        return -(-n // self.enlarged)


class Sampler:
    """Draws sources in `proportions`, and scenes with rare classes more often.

    `rare` is that of `repeat_factors`.
    """

    def __init__(self, sources: Sequence[Source], rare: float) -> None:
        self.sources = sources
        self.scenes = [scene for source in sources for scene in source.scenes]
        self.proportions = proportions(
            [source.weight for source in sources], [len(source.scenes) for source in sources]
        )
        self.probabilities = []
        for source in sources:
            present = np.zeros((len(source.scenes), len(TRAFFIC)), np.bool_)
            for row, scene in zip(present, source.scenes, strict=True):
                row[[instance.label for instance in scene.instances if not instance.crowd]] = True
            weight = repeat_factors(present, rare) * np.where(present.any(axis=1), 1, EMPTY)
            self.probabilities.append(weight / weight.sum())
        pasted = [scene for source in sources if source.pastes for scene in source.scenes]
        self.pasteable = pasteable(pasted)

    def batches(self, n: int) -> int:
        """The number of batches that have, on average, as many scenes as there are."""
        sizes = [source.in_batch(n) for source in self.sources]
        return max(1, int(len(self.scenes) / (self.proportions @ sizes)))

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Source, Iterator[Scene]]:
        """A source, and the scenes of a batch of it; then, without end, replacements for them."""
        which = int(rng.choice(len(self.sources), p=self.proportions))
        source, probabilities = self.sources[which], self.probabilities[which]
        places = rng.choice(len(probabilities), source.in_batch(n), p=probabilities)
        more = (rng.choice(len(probabilities), p=probabilities) for _ in count())
        return source, (source.scenes[place] for place in chain(places, more))

    def draw_instance(self, rng: np.random.Generator) -> tuple[Scene, Instance]:
        """An instance to paste, of a class that is drawn uniformly."""
        choices = self.pasteable[int(rng.choice(list(self.pasteable)))]
        return choices[int(rng.integers(len(choices)))]


def pasteable(scenes: Sequence[Scene]) -> dict[int, list[tuple[Scene, Instance]]]:
    """The instances that can be pasted, by class, with their scenes.

    The classes have fewer than `PASTED_BELOW` times the instances of the most common one. The
    instances have MIN_PASTED pixels, and only the upper edge of the photo may cut them off.
    """
    found: dict[int, list[tuple[Scene, Instance]]] = {}
    for scene in scenes:
        for instance in scene.instances:
            if not instance.crowd:
                found.setdefault(instance.label, []).append((scene, instance))
    most = max(map(len, found.values()), default=0)
    large = {
        label: [(s, i) for s, i in there if i.area >= MIN_PASTED and _is_whole(i, s)]
        for label, there in sorted(found.items())
        if len(there) < PASTED_BELOW * most
    }
    return {label: there for label, there in large.items() if there}


def _is_whole(instance: Instance, scene: Scene) -> bool:
    """Whether no edge of the photo cuts it off; the upper one may."""
    left, _, right, bottom = instance.box
    width, height = scene.size
    return left > 0 and right < width and bottom < height
