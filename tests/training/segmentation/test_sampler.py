import numpy as np
import pytest

from bentoml_img.training.errors import DatasetError
from bentoml_img.training.segmentation.sampler import Sampler


def test_rare_classes_and_small_sources_are_drawn_more_often() -> None:
    shares = np.zeros((100, 21), np.float32)
    shares[:, 15] = 0.2
    shares[0, 3] = 0.2  # in one of fifty photos of the first source
    sources = np.repeat([0, 1], [50, 50])
    sampler = Sampler(shares, sources, (0.8, 0.2), rare=0.16)
    assert sampler.probabilities.sum() == pytest.approx(1)
    assert sampler.probabilities[sources == 0].sum() == pytest.approx(0.8)
    assert sampler.probabilities[0] / sampler.probabilities[1] == pytest.approx(4)
    drawn = {sampler.draw_class(np.random.default_rng(seed)) for seed in range(50)}
    assert (3, 0) in drawn
    assert {class_id for class_id, _ in drawn} == {3, 15}


def test_photos_of_nothing() -> None:
    shares = np.full((3, 21), 0.004, np.float32)
    with pytest.raises(DatasetError, match=r"no photo has 0\.5% or more of any class"):
        Sampler(shares, np.zeros(3, np.int64), [1.0], rare=0.16)
