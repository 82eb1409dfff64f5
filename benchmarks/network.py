"""A network that costs next to nothing, so that the cost of serving shows."""

from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from bentoml_img.bundle import GRAPH, GRAPH_DATA, Bundle, Manifest
from bentoml_img.labels import CIFAR10

CHANNELS = 32


def write_tiny_bundle(folder: Path) -> Path:
    """A bundle of two random convolutions: about 0.1 ms a photo on one core."""
    folder.mkdir(parents=True)
    ov.save_model(_graph(), folder / GRAPH, compress_to_fp16=False)
    manifest = Manifest(
        name="tiny",
        task="classification",
        labels=CIFAR10,
        input_size=(32, 32),
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        license="Apache-2.0",
        trained_on="nothing: random weights",
    )
    Bundle.write(folder, manifest, [GRAPH, GRAPH_DATA])
    return folder


def _graph() -> ov.Model:
    rng = np.random.default_rng(0)

    def weights(*shape: int) -> ov.Node:
        fan_in = np.prod(shape[1:])
        return ops.constant((rng.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32))

    images = ops.parameter([-1, 3, 32, 32], np.float32, name="images")
    fine = ops.convolution(images, weights(CHANNELS, 3, 3, 3), [1, 1], [1, 1], [1, 1], [1, 1])
    coarse = ops.convolution(
        ops.relu(fine), weights(CHANNELS, CHANNELS, 3, 3), [2, 2], [1, 1], [1, 1], [1, 1]
    )
    features = ops.reduce_mean(coarse, ops.constant(np.array([2, 3])), keep_dims=False)
    logits = ops.matmul(features, weights(10, CHANNELS), False, True)
    return ov.Model([logits], [images], "tiny")
