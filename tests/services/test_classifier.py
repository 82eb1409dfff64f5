"""What the classifier says of the sample photos."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from bentoml_img.classify import Classifier
from bentoml_img.images import read_rgb
from bentoml_img.labels import CIFAR10
from tests.services.live import CLASSIFIER, Answers, Server, answers

pytestmark = pytest.mark.parametrize("service", [CLASSIFIER], indirect=True)

# Photos of which the shipped network is sure, rightly.
CLEAR = {
    "automobile_sports.jpg": "automobile",
    "bird_duck.jpg": "bird",
    "bird_heron.jpg": "bird",
    "cat_chelsea.jpg": "cat",
    "cat_kitten.jpg": "cat",
    "deer_moose.jpg": "deer",
    "dog.jpg": "dog",
    "dog_lying.jpg": "dog",
    "dog_retriever.jpg": "dog",
    "frog_golden_toad.jpg": "frog",
    "horse.jpg": "horse",
    "horse_herd.jpg": "horse",
}


@pytest.fixture(scope="session")
def served(running_server: Server, photos: dict[Path, str]) -> Answers:
    return answers(CLASSIFIER, running_server, photos)


def test_clear_photos_are_recognised(served: Answers) -> None:
    labels = {photo.name: json.loads(answer) for photo, answer in served["predict"].items()}
    assert {name: labels[name] for name in CLEAR} == CLEAR


def test_most_photos_are_recognised(served: Answers, photos: dict[Path, str]) -> None:
    right = [json.loads(served["predict"][photo]) == label for photo, label in photos.items()]
    assert len(right) >= 30
    assert sum(right) > 0.7 * len(right)


def test_classify_gives_every_class_best_first(served: Answers) -> None:
    for photo, body in served["classify"].items():
        answer = json.loads(body)
        assert list(answer) == ["label", "score", "scores"]
        assert json.dumps(answer["label"]).encode() == served["predict"][photo]
        assert set(answer["scores"]) == set(CIFAR10)
        scores = list(answer["scores"].values())
        assert scores == sorted(scores, reverse=True)
        assert (answer["label"], answer["score"]) == next(iter(answer["scores"].items()))
        assert sum(scores) == pytest.approx(1, abs=1e-4)


def test_the_library_gives_the_same_answer(served: Answers, bundle: Path) -> None:
    classifier = Classifier.from_bundle(bundle)
    for photo, body in served["classify"].items():
        (answer,) = classifier([read_rgb(photo, classifier.decode_at_least)])
        assert asdict(answer) == json.loads(body)
