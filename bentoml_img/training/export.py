"""From a trained module to the files of a bundle."""

from pathlib import Path

import numpy as np
import openvino as ov
import torch
from safetensors.torch import save_file

from bentoml_img.bundle import GRAPH, GRAPH_DATA, WEIGHTS
from bentoml_img.classify import softmax
from bentoml_img.engines import Array
from bentoml_img.engines.openvino import OpenVinoEngine

FILES = (WEIGHTS, GRAPH, GRAPH_DATA)


def export(model: torch.nn.Module, bundle: Path, example: Array, images: Array) -> dict[str, float]:
    raise NotImplementedError
