"""Every model that can be chosen."""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from bentoml_img.bundle import BundleError
from bentoml_img.labels import CIFAR10, LabelSet

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Entry:
    """A model: what it is for, and where its module is (`module:class`, imported when built)."""

    name: str
    task: str
    labels: LabelSet
    module: str


ZOO = {
    entry.name: entry
    for entry in (
        Entry("cifar_net", "classification", CIFAR10, "bentoml_img.models.cifar_net:CifarNet"),
    )
}


def build(name: str) -> "nn.Module":
    """A model's module, with random weights; BundleError if no model has that name."""
    if name not in ZOO:
        raise BundleError(f"no model {name!r}: choose one of {', '.join(sorted(ZOO))}")
    module, _, attribute = ZOO[name].module.partition(":")
    network: nn.Module = getattr(import_module(module), attribute)()
    return network
