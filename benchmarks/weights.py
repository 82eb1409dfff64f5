"""Models to be measured, with random weights where theirs are not at hand.

These cost the network the same time. What a segmenter answers then says little;
a detector is made to find about as many things as there are in a photo.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bentoml_img.bundle import Bundle
from bentoml_img.engines import PRECISIONS
from bentoml_img.engines.openvino import has_bfloat16
from bentoml_img.shelf import bundle_of, is_at_hand, official_bundle

REAL, RANDOM = "real", "random"


@contextmanager
def bundle_to_measure(name: str) -> Iterator[tuple[Path, str]]:
    """A model's bundle, and whether its weights are REAL or RANDOM."""
    if is_at_hand(name):
        yield bundle_of(name), REAL
        return
    import torch  # not at the top: the page of figures needs the names above alone

    from benchmarks.lively import random_network

    with tempfile.TemporaryDirectory() as scratch:
        state = Path(scratch) / f"{name}.pth"
        torch.save(random_network(name).state_dict(), state)
        yield official_bundle(name, Path(scratch) / name, state), RANDOM


def precisions_of(bundle: Path) -> list[str]:
    """In what a bundle can be measured here: where what it costs is known."""
    known = filter(Bundle.open(bundle).manifest.knows_cost_of, PRECISIONS)
    return [precision for precision in known if precision != "bf16" or has_bfloat16()]
