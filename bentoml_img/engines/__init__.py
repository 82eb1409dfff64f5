"""Run a bundle's network: arrays in, arrays out, whatever computes between.

Nothing above this package knows which engine runs, and no engine is imported
before it is chosen: serving with OpenVINO needs no PyTorch.
"""

from bentoml_img.bundle import WEIGHTS, Bundle, BundleError
from bentoml_img.engines.interface import DetectionEngine, Engine

ENGINES = ("auto", "openvino", "torch")
PRECISIONS = ("fp32", "bf16", "int8")


def resolve(bundle: Bundle, engine: str = "auto", precision: str = "fp32") -> str:
    """The engine that `engine` means for this bundle.

    BundleError if the bundle lacks the files for it, or for that precision, or if
    this processor does not compute in it.
    """
    if engine not in ENGINES:
        raise BundleError(f"no engine {engine!r}: choose one of {', '.join(ENGINES)}")
    if precision not in PRECISIONS:
        raise BundleError(f"no precision {precision!r}: choose one of {', '.join(PRECISIONS)}")
    graphs, files = bundle.manifest.graphs(), bundle.manifest.files
    if engine == "auto":
        engine = "openvino" if graphs[0] in files else "torch"
    needed = graphs if engine == "openvino" else (WEIGHTS,)
    if missing := [name for name in needed if name not in files]:
        raise BundleError(f"{bundle.folder} has no {missing[0]}, which the engine {engine!r} needs")
    if precision != "fp32":
        _check(bundle, engine, precision)
    return engine


def _check(bundle: Bundle, engine: str, precision: str) -> None:
    if engine == "torch":
        raise BundleError(f"the engine 'torch' computes in fp32 only, not in {precision}")
    (graph, *_), files = bundle.manifest.graphs(precision), bundle.manifest.files
    if graph not in files:
        raise BundleError(f"{bundle.folder} has no {graph}: docs/precision.md tells how it is made")
    if precision == "bf16":
        from bentoml_img.engines.openvino import has_bfloat16

        if not has_bfloat16():
            others = "fp32 or int8" if bundle.manifest.graphs("int8")[0] in files else "fp32"
            raise BundleError(f"this processor has no bfloat16: choose {others}")


def load_engine(
    bundle: Bundle, engine: str = "auto", precision: str = "fp32", threads: int | None = None
) -> Engine:
    """Load a bundle's network; `threads` is at most how many it computes with (None: all)."""
    if resolve(bundle, engine, precision) == "openvino":
        from bentoml_img.engines.openvino import OpenVinoEngine

        graph, *_ = bundle.manifest.graphs(precision)
        return OpenVinoEngine(bundle.folder / graph, precision, threads)
    from bentoml_img.engines.torch import ModuleEngine, open_module

    return ModuleEngine(*open_module(bundle, threads))


def load_detection_engine(
    bundle: Bundle, engine: str = "auto", precision: str = "fp32", threads: int | None = None
) -> DetectionEngine:
    """Load a detector's networks; `threads` is at most how many they compute with (None: all)."""
    if resolve(bundle, engine, precision) == "openvino":
        from bentoml_img.engines.openvino_maskrcnn import openvino_detector

        return openvino_detector(bundle, precision, threads)
    from bentoml_img.engines.torch_maskrcnn import torch_detector

    return torch_detector(bundle, threads)
