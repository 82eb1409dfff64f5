from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from bentoml_img import zoo
from bentoml_img.bundle import Bundle
from bentoml_img.classify import Classifier
from bentoml_img.engines.openvino import OpenVinoEngine
from bentoml_img.exporting.export import save_weights
from bentoml_img.labels import CIFAR10
from bentoml_img.models.classifiers import LiteClassifier
from bentoml_img.postprocessing.probabilities import softmax
from bentoml_img.training.classification.cifar10 import Split
from bentoml_img.training.classification.evaluation import figures, predict_logits
from bentoml_img.training.classification.export import export, save_classifier_graph
from bentoml_img.training.classification.trainer import Trainer, module_logits
from tests.training.tiny import tiny_recipe


@pytest.fixture(scope="module")
def model(train: Split, held_out: Split) -> LiteClassifier:
    trainer = Trainer(train, held_out, tiny_recipe(epochs=4))
    trainer.run()
    return trainer.blend()


@pytest.fixture(scope="module")
def graph(model: LiteClassifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graph") / "model.xml"
    save_classifier_graph(model, path)
    return path


@pytest.mark.parametrize("n", [1, 2, 7])
def test_the_graph_answers_like_the_module(
    model: LiteClassifier, graph: Path, held_out: Split, n: int
) -> None:
    images = held_out.images[:n]
    manifest = zoo.find("cifar_lite").manifest(license="unknown", trained_on="noise")
    classifier = Classifier(manifest, OpenVinoEngine(graph, "fp32", 1))
    logits = predict_logits(classifier, images)
    expected = module_logits(model, images)
    np.testing.assert_allclose(softmax(logits), softmax(expected), atol=5e-3)
    assert not np.allclose(expected, expected[0]) or n == 1, "the images differ, so must answers"


def test_filters_are_halved_and_vectors_kept(model: LiteClassifier, tmp_path: Path) -> None:
    save_weights(model, tmp_path / "model.safetensors", half=True)
    state = load_file(tmp_path / "model.safetensors")
    expected = model.state_dict()
    assert state.keys() == expected.keys()
    for name, value in state.items():
        assert (value.dtype == torch.float16) == (value.ndim > 1)
        torch.testing.assert_close(value.float(), expected[name].float(), rtol=1e-3, atol=1e-6)


def test_a_bundle_states_what_was_measured_on_it(
    model: LiteClassifier, held_out: Split, tmp_path: Path
) -> None:
    evaluation = export(model, "noise", held_out, tmp_path / "bundle", "openvino")
    manifest = Bundle.open(tmp_path / "bundle").verify().manifest
    assert manifest.labels == CIFAR10
    assert manifest.trained_on == "noise"
    assert manifest.license == "unknown"
    assert manifest.temperature == evaluation.temperature
    classifier = Classifier.from_bundle(tmp_path / "bundle", "openvino")
    for figure in figures(classifier, held_out):
        assert manifest.scores[figure.name] == pytest.approx(figure.value), figure.name
    assert manifest.scores["export_label_agreement"] == 1
    assert 0 < manifest.scores["export_max_difference"] < 5e-3
