import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image

from bentoml_img.arrays import Float32Array
from bentoml_img.bundle import Manifest
from bentoml_img.classify import Classification, Classifier
from bentoml_img.postprocessing.probabilities import softmax
from tests.samples import photo

LABELS = ("red", "green", "blue")


class MeanColour:
    """An engine whose logits are the means of the normalised channels."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, batch: Float32Array) -> Float32Array:
        self.shapes.append(batch.shape)
        assert batch.dtype == np.float32
        means: Float32Array = batch.mean(axis=(2, 3))
        return means


def classifier(
    temperature: float = 1.0,
    mean: tuple[float, float, float] = (0, 0, 0),
    std: tuple[float, float, float] = (1, 1, 1),
) -> Classifier:
    manifest = Manifest(
        name="mean_colour",
        task="classification",
        labels=LABELS,
        input_size=(4, 6),
        mean=mean,
        std=std,
        license="Apache-2.0",
        trained_on="nothing",
        temperature=temperature,
    )
    return Classifier(manifest, MeanColour())


def colours(names: Sequence[str]) -> list[Image.Image]:
    return [Image.new("RGB", (9, 9), name) for name in names]


def test_answers_come_in_the_order_of_the_photos() -> None:
    names = ["blue", "red", "lime", "red"]
    expected = ["blue", "red", "green", "red"]
    assert [answer.label for answer in classifier()(colours(names))] == expected


def test_photos_of_any_size_are_one_batch() -> None:
    subject = classifier()
    subject([photo(640, 480), photo(1, 1), photo(3, 500)])
    assert isinstance(subject.engine, MeanColour)
    assert subject.engine.shapes == [(3, 3, 4, 6)]


def test_a_photo_gets_the_same_answer_alone_and_in_a_batch() -> None:
    photos = [photo(64, 48), *colours(["red", "blue"])]
    assert classifier()(photos) == [classifier()([one])[0] for one in photos]


def test_scores_are_the_softmax_of_the_logits_best_first() -> None:
    (answer,) = classifier()([Image.new("RGB", (9, 9), (255, 0, 51))])
    weights = np.exp([1.0, 0.2, 0.0])
    assert list(answer.scores) == ["red", "blue", "green"]
    assert list(answer.scores.values()) == pytest.approx(weights / weights.sum(), abs=1e-6)
    assert (answer.label, answer.score) == ("red", answer.scores["red"])


def test_equal_scores_keep_the_order_of_the_labels() -> None:
    (answer,) = classifier()(colours(["white"]))
    assert tuple(answer.scores) == LABELS


def test_temperature_flattens_the_scores() -> None:
    (answer,) = classifier(temperature=2.0)(colours(["red"]))
    assert answer.score == pytest.approx(np.exp(0.5) / (np.exp(0.5) + 2), abs=1e-6)


def test_the_network_sees_the_whole_photo_normalised() -> None:
    subject = classifier(mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 0.1))
    image = Image.new("RGB", (60, 40), "black")
    image.paste("white", (30, 0, 60, 40))
    pixels = subject.preprocess(image)
    assert (pixels.shape, pixels.dtype.name) == ((3, 4, 6), "float32")
    np.testing.assert_allclose(pixels[:, 0, 0], [-1, -1, 0], atol=0.1)
    np.testing.assert_allclose(pixels[:, 3, 5], [1, 3, 10], atol=0.1)


def test_resizing_averages_what_it_leaves_out() -> None:
    checks = np.indices((400, 600)).sum(axis=0) % 2 * 255
    image = Image.fromarray(checks.astype(np.uint8)).convert("RGB")
    np.testing.assert_allclose(classifier().preprocess(image), 0.5, atol=0.01)


def test_softmax_survives_large_logits() -> None:
    logits = np.array([[1e4, 0, -1e4], [0, 0, 0]], np.float32)
    expected = np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])
    np.testing.assert_allclose(softmax(logits), expected, atol=1e-6)


def test_an_answer_is_ready_for_json() -> None:
    answer = Classification("red", 0.75, {"red": 0.75, "blue": 0.25})
    assert json.loads(json.dumps(asdict(answer))) == {
        "label": "red",
        "score": 0.75,
        "scores": {"red": 0.75, "blue": 0.25},
    }
