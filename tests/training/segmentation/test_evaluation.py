import numpy as np
import pytest
import torch
from PIL import Image

from bentoml_img.training.segmentation.evaluation import (
    Confusion,
    frequent_classes,
    predict,
)


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


def test_masks_have_the_size_of_the_photo() -> None:
    class Bright(torch.nn.Module):
        """Class 1 where the photo is bright."""

        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return torch.cat([-features[:, :1], features[:, :1]], 1)

    brightness = torch.nn.Conv2d(3, 1, 1, bias=False)
    torch.nn.init.ones_(brightness.weight)
    backbone = torch.nn.Sequential(brightness, torch.nn.AvgPool2d(16))
    photo = Image.new("RGB", (50, 31))
    photo.paste((255, 255, 255), (25, 0, 50, 31))
    mask = predict(backbone, {"bright": Bright()}, photo, side=64)["bright"]
    assert mask.shape == (31, 50)
    assert (mask[:, :23] == 0).all()
    assert (mask[:, 27:] == 1).all()
