"""Turn a graph in single precision into one in int8, calibrated on photos."""

import contextlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import openvino as ov

from bentoml_img.arrays import Float32Array
from bentoml_img.engines.openvino import core


def quantize(graph: Path, inputs: Sequence[Float32Array], target: Path) -> None:
    """Write a graph with its convolutions and matrix products in int8.

    `inputs`, which the graph takes, are one or more images of shape (N, 3, H, W)
    each: int8 covers the ranges of the values that are computed for them.
    ModuleNotFoundError without the package nncf.
    """
    import nncf

    logging.getLogger("nncf").setLevel(logging.ERROR)
    # Processors without VNNI add products up in 16 bits: with 7-bit weights these never overflow,
    # and so the answer, and the accuracy that is measured here, is that of every processor.
    parameters = nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE)
    with contextlib.redirect_stdout(sys.stderr):  # where its progress bars belong
        model = nncf.quantize(
            core().read_model(graph),
            nncf.Dataset(inputs),
            subset_size=len(inputs),
            advanced_parameters=parameters,
        )
    ov.save_model(model, target, compress_to_fp16=True)
