import numpy as np
import pytest

from bentoml_img.training.segmentation.confusion import Confusion, frequent_classes


def brute_force_iou(truth: np.ndarray, predicted: np.ndarray, class_id: int) -> float:
    hits = union = 0
    for t, p in zip(truth.ravel(), predicted.ravel(), strict=True):
        if t != 255:
            hits += t == class_id and p == class_id
            union += class_id in (t, p)
    return hits / union


def test_iou_is_that_of_counting_pixel_by_pixel() -> None:
    rng = np.random.default_rng(0)
    truth = rng.choice(np.array([0, 1, 7, 255], np.uint8), (40, 30))
    predicted = rng.choice(np.array([0, 1, 7, 9], np.uint8), (40, 30))
    confusion = Confusion()
    for rows in (slice(0, 15), slice(15, 40)):
        confusion.add(truth[rows], predicted[rows])
    expected = [brute_force_iou(truth, predicted, k) for k in (0, 1, 7)]
    np.testing.assert_allclose(confusion.iou[[0, 1, 7]], expected)
    assert np.isnan(confusion.iou[9])  # predicted, but never true
    assert confusion.mean_iou() == pytest.approx(np.mean(expected))
    assert confusion.mean_iou([1, 7]) == pytest.approx(np.mean(expected[1:]))


def test_frequent_classes_are_background_and_those_of_six_photos() -> None:
    shares = np.zeros((7, 21), np.float32)
    shares[:6, 15] = 0.1
    shares[:5, 3] = 0.5
    assert frequent_classes(shares) == [0, 15]
