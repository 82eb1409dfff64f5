"""Models to be measured, with random weights where theirs are not at hand.

These cost the network the same time. What a segmenter answers then says little;
a detector is made to find about as many things as there are in a photo.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bentoml_img import zoo
from bentoml_img.assemble import official_bundle
from bentoml_img.images import load_rgb, open_image
from bentoml_img.shelf import ROOT, bundle_of, is_at_hand

if TYPE_CHECKING:
    from torch import nn

REAL, RANDOM = "real", "random"
PHOTO = ROOT / "images" / "street.jpg"
CLASSES = 4.0  # deviation of a detector's logits, with which some ten things pass 0.5


@contextmanager
def bundle_to_measure(name: str) -> Iterator[tuple[Path, str]]:
    """A model's bundle, and whether its weights are REAL or RANDOM."""
    if is_at_hand(name):
        yield bundle_of(name), REAL
        return
    import torch  # not at the top: the page of figures needs the names above alone

    with tempfile.TemporaryDirectory() as scratch:
        state = Path(scratch) / f"{name}.pth"
        torch.save(_random(name).state_dict(), state)
        yield official_bundle(name, Path(scratch) / name, state), RANDOM


def _random(name: str) -> "nn.Module":
    import torch
    from torchvision.models.detection import MaskRCNN
    from torchvision.transforms.functional import to_tensor

    from benchmarks.lively import enliven

    torch.manual_seed(0)
    network = zoo.build(name)
    if isinstance(network, MaskRCNN):
        enliven(network, to_tensor(load_rgb(open_image(PHOTO.read_bytes()))), CLASSES)
    return network
