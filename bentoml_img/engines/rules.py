"""The rules of a detector between its graphs: what it proposes, chooses and pools.

They are read off the network when a bundle is made, and are a file of it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ConfigDict, with_config

from bentoml_img.bundle import RULES, read_strict


@dataclass(frozen=True)
class Choice:
    """How boxes are made of a network's shifts, and which of them are kept.

    Shifts are divided by `shift_weights` (x, y, width, height); the last two are
    logarithms then, and count as `max_log_growth` at most. Kept are boxes with
    scores above `min_score` and sides of `min_side` pixels or more, `most` of
    them, none of which overlaps with a surer one by more than `max_overlap`.
    """

    shift_weights: tuple[float, float, float, float]
    max_log_growth: float
    min_score: float
    min_side: float
    max_overlap: float
    most: int


@dataclass(frozen=True)
class Pooling:
    """From which of the first `levels` maps a box's features are taken, and how finely.

    A box of `canonical_side` pixels belongs to the map whose stride is
    2 ** `canonical_level`. Each cell has `samples` × `samples` samples.
    """

    levels: int
    samples: int
    canonical_side: int
    canonical_level: int


@with_config(ConfigDict(extra="forbid", strict=True))
@dataclass(frozen=True)
class Rules:
    """`cell_anchors`: for each level the anchors of a cell, x1, y1, x2, y2 about its corner.

    Of each level, the `candidates` anchors that most likely hold an object are
    chosen from.
    """

    cell_anchors: tuple[tuple[tuple[float, float, float, float], ...], ...]
    candidates: int
    proposals: Choice
    instances: Choice
    box_pooling: Pooling
    mask_pooling: Pooling


def write_rules(bundle: Path, rules: Rules) -> None:
    (bundle / RULES).write_text(json.dumps(asdict(rules), sort_keys=True) + "\n")


def read_rules(bundle: Path) -> Rules:
    """The rules in a bundle; BundleError if they are missing or damaged."""
    return read_strict(bundle / RULES, Rules)
