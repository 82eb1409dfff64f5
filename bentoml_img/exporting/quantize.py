"""Quantises a graph to int8, calibrated on photos."""

import contextlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import openvino as ov

from bentoml_img.arrays import Float32Array
from bentoml_img.engines.openvino import core


def quantize(graph: Path, inputs: Sequence[Float32Array], target: Path) -> None:
    """Write the graph with its convolutions and matrix products in int8 to `target`.

    `inputs` are inputs of the graph, float32 of shape (N, 3, H, W) each: the ranges of int8 are
    calibrated on them.
    ModuleNotFoundError without the package nncf.
    """
    import nncf

    logging.getLogger("nncf").setLevel(logging.ERROR)
    # CPUs without VNNI add products in 16 bits, which never overflow with 7-bit weights: so
    # answers, and the accuracy measured here, are the same on every CPU.
    parameters = nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE)
    with contextlib.redirect_stdout(sys.stderr):  # its progress bars
        model = nncf.quantize(
            core().read_model(graph),
            nncf.Dataset(inputs),
            subset_size=len(inputs),
            advanced_parameters=parameters,
        )
    ov.save_model(model, target, compress_to_fp16=True)
