"""From a trained network to an evaluated bundle."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import openvino as ov
import torch
from safetensors.torch import save_file

from bentoml_img.bundle import GRAPH, GRAPH_DATA, WEIGHTS, Manifest, write_manifest
from bentoml_img.classify import Classifier, softmax
from bentoml_img.engines import Array
from bentoml_img.labels import CIFAR10
from bentoml_img.models.cifar_net import CifarNet
from bentoml_img.training.cifar10 import SIDE, Split
from bentoml_img.training.classifier import MEAN, STD
from bentoml_img.training.classifier import predict_logits as module_logits
from bentoml_img.training.evaluation import Evaluation, predict_logits

FILES = (WEIGHTS, GRAPH, GRAPH_DATA)


def export(model: CifarNet, trained_on: str, test: Split, bundle: Path, engine: str) -> Evaluation:
    """Write a bundle in half precision, and evaluate what was written, with `engine`.

    The manifest's scores are those of the files, not of `model`; how far they
    are apart is among them: the accuracy of `model`, the share of equal labels
    and the largest difference of a probability.
    """
    expected = module_logits(model, test.images)
    model.cpu()
    bundle.mkdir(parents=True, exist_ok=True)
    save_weights(model, bundle / WEIGHTS)
    save_graph(model, bundle / GRAPH)
    manifest = Manifest(
        name="cifar_net",
        task="classification",
        labels=CIFAR10.names,
        input_size=(SIDE, SIDE),
        mean=MEAN,
        std=STD,
        license="Apache-2.0",
        trained_on=trained_on,
    )
    write_manifest(bundle, manifest, FILES)
    logits = predict_logits(Classifier.from_bundle(bundle, engine), test.images)
    evaluation = Evaluation.of(logits, test.labels, manifest.labels)
    scores = {name: value for name, value, _ in evaluation.scores()}
    scores |= {
        "accuracy_before_export": float((expected.argmax(1) == test.labels).mean()),
        **parity(expected, logits),
    }
    write_manifest(
        bundle, replace(manifest, temperature=evaluation.temperature, scores=scores), FILES
    )
    return evaluation


def parity(expected: Array, logits: Array) -> dict[str, float]:
    """How far two networks' answers (N, classes) are apart: labels, and probabilities."""
    return {
        "export_label_agreement": float((expected.argmax(1) == logits.argmax(1)).mean()),
        "export_max_difference": float(np.abs(softmax(expected) - softmax(logits)).max()),
    }


def save_weights(model: torch.nn.Module, path: Path) -> None:
    """The module's state as safetensors, floats in half precision."""
    state = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in model.state_dict().items()
    }
    save_file(state, path)


def save_graph(model: CifarNet, path: Path) -> None:
    """The network as an OpenVINO graph for batches of any size, weights in half precision.

    It takes what the module takes: normalised float32 images (N, 3, 32, 32).
    """
    example = torch.zeros(2, 3, SIDE, SIDE)
    batch = torch.export.Dim("batch")
    program = torch.export.export(model.eval(), (example,), dynamic_shapes=({0: batch},))
    graph = ov.convert_model(program)
    graph.reshape([-1, 3, SIDE, SIDE])
    ov.save_model(graph, path, compress_to_fp16=True)
