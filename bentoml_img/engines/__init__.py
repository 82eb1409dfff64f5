"""Run a bundle's network: arrays in, arrays out, whatever computes between.

Nothing above this package knows which engine runs, and no engine is imported
before it is chosen: serving with OpenVINO needs no PyTorch.
"""

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bentoml_img.bundle import GRAPH, WEIGHTS, BundleError, read_manifest

ENGINES = ("auto", "openvino", "torch")

Array = npt.NDArray[np.float32]


class Engine(Protocol):
    """A loaded network."""

    name: str

    def __call__(self, batch: Array) -> Array:
        """Take normalised images (N, 3, H, W), return the network's output for each."""


def resolve(bundle: Path, engine: str = "auto") -> str:
    """The engine that `engine` means for this bundle; BundleError if it lacks the files."""
    if engine not in ENGINES:
        raise BundleError(f"no engine {engine!r}: choose one of {', '.join(ENGINES)}")
    files = read_manifest(bundle).files
    if engine == "auto":
        engine = "openvino" if GRAPH in files else "torch"
    needed = GRAPH if engine == "openvino" else WEIGHTS
    if needed not in files:
        raise BundleError(f"{bundle} has no {needed}, which the engine {engine!r} needs")
    return engine


def load_engine(bundle: Path, engine: str = "auto", threads: int | None = None) -> Engine:
    """Load a bundle's network; `threads` is at most how many it computes with (default: all)."""
    if resolve(bundle, engine) == "openvino":
        from bentoml_img.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(bundle / GRAPH, threads)
    from bentoml_img.engines.torch import TorchEngine

    return TorchEngine(bundle, threads)
