"""From a trained network to an evaluated bundle."""

import copy
from dataclasses import replace
from pathlib import Path

import torch

from bentoml_img import zoo
from bentoml_img.bundle import GRAPH, GRAPH_DATA, WEIGHTS, Bundle
from bentoml_img.classify import Classifier
from bentoml_img.exporting.assemble import check_agreement
from bentoml_img.exporting.export import round_to_half, save_graph, save_weights
from bentoml_img.exporting.parity import parity
from bentoml_img.models.classifiers import LiteClassifier
from bentoml_img.system.atomic import replacing_folder
from bentoml_img.training.classification.cifar10 import Split
from bentoml_img.training.classification.evaluation import Evaluation, predict_logits
from bentoml_img.training.classification.trainer import module_logits
from bentoml_img.transforms import LITE_SQUARE

FILES = (WEIGHTS, GRAPH, GRAPH_DATA)


def export(
    model: LiteClassifier, trained_on: str, test: Split, bundle: Path, engine: str
) -> Evaluation:
    """Write a bundle in half precision, and evaluate it with `engine`.

    The manifest's scores are measured on the written files. They also compare the files with
    `model`: its accuracy, the share of equal labels, and the largest difference of a
    probability. BundleError if too few labels are equal.
    """
    expected = module_logits(model, test.images)
    model = copy.deepcopy(model).cpu()
    round_to_half(model)
    manifest = zoo.find("cifar_lite").manifest(license="unknown", trained_on=trained_on)
    with replacing_folder(bundle) as part:
        save_weights(model, part / WEIGHTS, half=True)
        save_classifier_graph(model, part / GRAPH)
        Bundle.write(part, manifest, FILES)
        logits = predict_logits(Classifier.from_bundle(part, engine), test.images)
        evaluation = Evaluation.of(logits, test.labels, manifest.labels)
        scores = {figure.name: figure.value for figure in evaluation.figures(manifest.name)}
        scores |= {
            "accuracy_before_export": float((expected.argmax(1) == test.labels).mean()),
            **parity(expected, logits),
        }
        measured = replace(manifest, temperature=evaluation.temperature, scores=scores)
        check_agreement(Bundle.write(part, measured, FILES).manifest)
    return evaluation


def save_classifier_graph(model: LiteClassifier, path: Path) -> None:
    """The network as an OpenVINO graph for batches of any size, weights in half precision.

    Its input are normalised float32 images (N, 3, height, width) of the size of LITE_SQUARE.
    """
    example = torch.zeros(2, 3, *LITE_SQUARE.input_size)
    save_graph(model, example, path, dynamic={0}, half=True)
