"""Which scenes a step sees, and which instances can be pasted into them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count

import numpy as np

from bentoml_img.labels import TRAFFIC
from bentoml_img.training.detection.data import Instance, Scene
from bentoml_img.training.proportions import proportions
from bentoml_img.training.repeat_factors import repeat_factors

MIN_PASTED = 150  # pixels that an instance needs in its own scene to be worth pasting
PASTED_BELOW = 0.25  # of the instances of the commonest class
EMPTY = 1 / 3  # how often a scene with nothing to find is drawn, beside one with something common


@dataclass(frozen=True)
class Source:
    """Scenes of one origin, their weight among others (see `proportions`), and how they are shown.

    `sides` is the range of their short side in pixels, after scaling. A batch has
    `enlarged` times fewer of them, rounded up, in crops of so many times the area:
    large things fit into these. `pastes` says whether instances are pasted from
    and into them.
    """

    scenes: Sequence[Scene]
    weight: float
    sides: tuple[float, float]
    enlarged: int = 1
    pastes: bool = False

    def in_batch(self, n: int) -> int:
        """How many scenes a batch has, where `n` are the number if nothing is enlarged."""
        return -(-n // self.enlarged)


class Sampler:
    """Draws sources in `proportions`, and of their scenes those with rare classes more often.

    What is `rare`, and how much more often, is as in `repeat_factors`.
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
        """How many batches have as many scenes as there are, on average."""
        sizes = [source.in_batch(n) for source in self.sources]
        return max(1, int(len(self.scenes) / (self.proportions @ sizes)))

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Source, Iterator[Scene]]:
        """A source, and of it the scenes of a batch; then, without end, others for them."""
        which = int(rng.choice(len(self.sources), p=self.proportions))
        source, probabilities = self.sources[which], self.probabilities[which]
        places = rng.choice(len(probabilities), source.in_batch(n), p=probabilities)
        more = (rng.choice(len(probabilities), p=probabilities) for _ in count())
        return source, (source.scenes[place] for place in chain(places, more))

    def draw_instance(self, rng: np.random.Generator) -> tuple[Scene, Instance]:
        """An instance to paste, each class as likely as the next."""
        choices = self.pasteable[int(rng.choice(list(self.pasteable)))]
        return choices[int(rng.integers(len(choices)))]


def pasteable(scenes: Sequence[Scene]) -> dict[int, list[tuple[Scene, Instance]]]:
    """For each class to paste its instances that can be pasted, and where they are.

    The classes are those with less than `PASTED_BELOW` of the instances that the commonest
    has; the instances are large enough, and no edge of a photo cuts them off, except the upper.
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
    """Whether no edge of the photo cuts it off, except the upper."""
    left, _, right, bottom = instance.box
    width, height = scene.size
    return left > 0 and right < width and bottom < height
