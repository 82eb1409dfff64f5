"""The rules of a detector between its graphs: what it proposes, keeps and pools.

They are read off the network when a bundle is made, and are a file of it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ConfigDict, with_config

from bentoml_img.bundle import RULES, read_strict


@dataclass(frozen=True, kw_only=True)
class Postprocessing:
    """How boxes are decoded from a network's deltas, and which of them are kept.

    Deltas are divided by `delta_weights` (x, y, width, height); the last two are
    logarithms then, and count as `max_log_growth` at most. Kept are boxes with
    sides of `min_size` pixels or more, and scores of `min_score` or more
    (proposals) or above it (instances); of these, after non-maximum suppression at
    `iou_threshold`, the `post_nms_top_n` of the highest scores.
    """

    delta_weights: tuple[float, float, float, float]
    max_log_growth: float
    min_score: float
    min_size: float
    iou_threshold: float
    post_nms_top_n: int


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

    Of each level, the `pre_nms_top_n` anchors of the highest objectness are decoded.
    """

    cell_anchors: tuple[tuple[tuple[float, float, float, float], ...], ...]
    pre_nms_top_n: int
    proposals: Postprocessing
    instances: Postprocessing
    box_pooling: Pooling
    mask_pooling: Pooling


def write_rules(folder: Path, rules: Rules) -> None:
    (folder / RULES).write_text(json.dumps(asdict(rules), sort_keys=True) + "\n")


def read_rules(folder: Path) -> Rules:
    """The rules in a bundle's folder; BundleError if they are missing or damaged."""
    return read_strict(folder / RULES, Rules)
