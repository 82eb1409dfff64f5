"""Run a bundle's network: arrays in, arrays out, whatever computes between.

Nothing above this package knows which engine runs, and no engine is imported
before it is chosen: serving with OpenVINO needs no PyTorch.
"""

from pathlib import Path

from bentoml_img.bundle import WEIGHTS, BundleError, Manifest, read_manifest
from bentoml_img.engines.interface import DetectionEngine, Engine

ENGINES = ("auto", "openvino", "torch")
PRECISIONS = ("fp32", "bf16", "int8")


def resolve(bundle: Path, engine: str = "auto", precision: str = "fp32") -> str:
    """The engine that `engine` means for this bundle.

    BundleError if the bundle lacks the files for it, or for that precision, or if
    this processor does not compute in it.
    """
    if engine not in ENGINES:
        raise BundleError(f"no engine {engine!r}: choose one of {', '.join(ENGINES)}")
    if precision not in PRECISIONS:
        raise BundleError(f"no precision {precision!r}: choose one of {', '.join(PRECISIONS)}")
    manifest = read_manifest(bundle)
    if engine == "auto":
        engine = "openvino" if manifest.graphs[0] in manifest.files else "torch"
    needed = manifest.graphs if engine == "openvino" else (WEIGHTS,)
    if missing := [name for name in needed if name not in manifest.files]:
        raise BundleError(f"{bundle} has no {missing[0]}, which the engine {engine!r} needs")
    if precision != "fp32":
        _check(precision, bundle, manifest, engine)
    return engine


def _check(precision: str, bundle: Path, manifest: Manifest, engine: str) -> None:
    if engine == "torch":
        raise BundleError(f"the engine 'torch' computes in fp32 only, not in {precision}")
    graph, *_ = manifest.graphs_in(precision)
    if graph not in manifest.files:
        raise BundleError(f"{bundle} has no {graph}: docs/precision.md tells how it is made")
    if precision == "bf16":
        from bentoml_img.engines.openvino import has_bfloat16

        if not has_bfloat16():
            raise BundleError("this processor has no bfloat16: choose fp32 or int8")


def load_engine(
    bundle: Path, engine: str = "auto", threads: int | None = None, precision: str = "fp32"
) -> Engine:
    """Load a bundle's network; `threads` is at most how many it computes with (default: all)."""
    if resolve(bundle, engine, precision) == "openvino":
        from bentoml_img.engines.openvino import OpenVinoEngine

        graph, *_ = read_manifest(bundle).graphs_in(precision)
        return OpenVinoEngine(bundle / graph, threads, precision)
    from bentoml_img.engines.torch import TorchEngine

    return TorchEngine(bundle, threads)


def load_detection_engine(
    bundle: Path, engine: str, threads: int | None, precision: str
) -> DetectionEngine:
    """Load a detector's networks; `threads` is at most how many they compute with (None: all)."""
    if resolve(bundle, engine, precision) == "openvino":
        from bentoml_img.engines.openvino_maskrcnn import openvino_detector

        return openvino_detector(bundle, threads, precision)
    from bentoml_img.engines.torch_maskrcnn import torch_detector

    return torch_detector(bundle, threads)
