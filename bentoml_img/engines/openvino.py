"""OpenVINO: the engine on a processor."""

from contextlib import suppress
from functools import cache
from pathlib import Path

from bentoml_img.arrays import Float32Array
from bentoml_img.bundle import BundleError
from bentoml_img.system.interrupts import uninterrupted

with uninterrupted():  # it makes an ImportError of Ctrl-C
    import openvino as ov
    from openvino import properties

# Of what OpenVINO makes for the sizes of a network's inputs, so many are kept. By default they are
# 5,000: memory grew until hundreds of sizes had been seen, and no photo was answered sooner.
CACHED = 500


class OpenVinoEngine:
    """A graph that was exported ahead of time, compiled for this processor.

    Not for several threads at once: it has one inference request.
    """

    def __init__(self, graph: Path, precision: str, threads: int | None) -> None:
        self._request = request(graph, precision, threads)

    def __call__(self, batch: Float32Array) -> Float32Array:
        results = self._request.infer([batch], share_inputs=True)
        output: Float32Array = results[0].copy()  # the request reuses its buffer
        return output


def request(graph: Path | ov.Model, precision: str, threads: int | None) -> ov.InferRequest:
    """A graph, from its file or in memory, compiled, with one place for inputs and outputs.

    What is not int8 in the graph itself is computed in single precision, or in bf16.
    BundleError if the file is missing or damaged.
    """
    config = {
        properties.hint.performance_mode(): properties.hint.PerformanceMode.LATENCY,
        # The default depends on the processor; parity wants one answer everywhere.
        properties.hint.inference_precision(): ov.Type.bf16 if precision == "bf16" else ov.Type.f32,
        # By default its threads are bound to cores, the same ones in each process and for each
        # network: two networks of one thread each shared one of two cores.
        properties.hint.enable_cpu_pinning(): False,
    }
    if threads is not None:
        config[properties.inference_num_threads()] = threads
    try:
        return core().compile_model(graph, "CPU", config).create_infer_request()
    except RuntimeError as error:
        if isinstance(graph, ov.Model):
            raise
        raise BundleError(f"cannot read {graph}: it, or its .bin, is missing or damaged") from error


def has_bfloat16() -> bool:
    """Whether OpenVINO computes in bfloat16 on this processor."""
    capabilities: list[str] = core().get_property("CPU", properties.device.capabilities())
    return "BF16" in capabilities


@cache
def core() -> ov.Core:
    """The process's only `openvino.Core`, as OpenVINO recommends: each loads its plug-ins anew."""
    core = ov.Core()
    with suppress(RuntimeError):  # the property is internal: a later OpenVINO may not know it
        core.set_property("CPU", {"CPU_RUNTIME_CACHE_CAPACITY": CACHED})
    return core
