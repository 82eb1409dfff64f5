"""A network's module into the files that the engines load."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import openvino as ov
import torch
from safetensors.torch import save_file

from bentoml_img.classify import softmax
from bentoml_img.engines import Array


def save_weights(module: torch.nn.Module, path: Path, *, half: bool) -> None:
    """The module's state as safetensors, floats in half or in single precision."""
    dtype = torch.float16 if half else torch.float32
    state = {
        name: (value.to(dtype) if value.is_floating_point() else value).contiguous()
        for name, value in module.state_dict().items()
    }
    save_file(state, path)


def save_graph(
    module: torch.nn.Module,
    example: torch.Tensor,
    path: Path,
    *,
    dynamic: Collection[int],
    half: bool,
) -> None:
    """The module as an OpenVINO graph, weights in half or in single precision.

    It takes what the module takes: tensors like `example`, but of any size in
    the dimensions that are `dynamic`, each of which is above 1 in `example`.
    """
    sizes = dict.fromkeys(dynamic, torch.export.Dim.DYNAMIC)
    with torch.no_grad():
        program = torch.export.export(module.eval(), (example,), dynamic_shapes=(sizes,))
    graph = ov.convert_model(program)
    graph.reshape([-1 if axis in dynamic else n for axis, n in enumerate(example.shape)])
    ov.save_model(graph, path, compress_to_fp16=half)


def parity(expected: Array, logits: Array) -> dict[str, float]:
    """How far two networks' answers (N, classes) are apart: labels, and probabilities."""
    return {
        "export_label_agreement": float((expected.argmax(1) == logits.argmax(1)).mean()),
        "export_max_difference": float(np.abs(softmax(expected) - softmax(logits)).max()),
    }


def sigmoid(logits: Array) -> Array:
    """Probabilities of what is or is not, one by one."""
    probabilities: Array = 1 / (1 + np.exp(-logits.clip(-80, 80)))
    return probabilities
