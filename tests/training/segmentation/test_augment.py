from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bentoml_img.training.augment import FILL
from bentoml_img.training.layouts import Sample
from bentoml_img.training.segmentation.augment import (
    Augmentation,
    load_batch,
    paste,
    random_crop,
)
from bentoml_img.training.segmentation.data import class_shares
from bentoml_img.training.segmentation.sampler import Sampler
from tests.training.scenes import scene, write_scenes

HOW = Augmentation(crop_side=64, base_side=60, scale=(0.5, 1.7))


@pytest.mark.parametrize("seed", range(20))
def test_photo_and_mask_stay_together(seed: int) -> None:
    photo, mask = scene(np.random.default_rng(seed))
    pixels, labels = random_crop(photo, mask, HOW, np.random.default_rng(seed))
    assert pixels.shape == (64, 64, 3)
    assert labels.shape == (64, 64)
    # A scene is red where its mask says so: only borders may disagree after scaling.
    red = pixels[:, :, 0] > 127
    shown = labels != 255
    assert (red == (labels > 0))[shown].mean() > 0.93
    assert (pixels[~shown] == FILL).all()


def test_photos_are_scaled_and_mirrored() -> None:
    photo = Image.fromarray(
        np.repeat(np.arange(100, dtype=np.uint8)[None, :, None], 80, 0).repeat(3, 2)
    )
    mask = Image.new("L", photo.size)
    slopes = []
    for seed in range(30):
        pixels, labels = random_crop(photo, mask, HOW, np.random.default_rng(seed))
        row = pixels[32][labels[32] == 0][:, 0].astype(float)
        slopes.append((row[-1] - row[0]) / len(row))
    assert min(slopes) < -0.9
    assert max(slopes) > 0.9
    assert np.ptp(np.abs(slopes)) > 0.5


def test_the_aspect_ratio_changes_both_ways() -> None:
    photo, mask = scene(np.random.default_rng(0))
    how = replace(HOW, base_side=30, scale=(1, 1), aspect=1.5)  # all of it is seen
    ratios = []
    for seed in range(30):
        _, labels = random_crop(photo, mask, how, np.random.default_rng(seed))
        shown = labels != 255
        ratios.append(shown.any(axis=0).sum() / shown.any(axis=1).sum() / (80 / 60))
    assert 0.6 < min(ratios) < 0.8
    assert 1.25 < max(ratios) < 1.6


def test_paste_takes_one_class_only() -> None:
    onto = np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint8)
    source = np.full((2, 2, 3), 9, np.uint8), np.array([[3, 5], [255, 3]], np.uint8)
    paste(onto, source, 3)
    assert onto[1].tolist() == [[3, 0], [0, 3]]
    assert (onto[0][:, :, 0] == [[9, 0], [0, 9]]).all()


def test_a_batch_depends_on_its_seed_alone(tmp_path: Path) -> None:
    samples: list[Sample] = write_scenes(tmp_path, 4)
    sampler = Sampler(class_shares(samples), np.zeros(4, np.int64), (1.0,), rare=0.1)
    first, again, other = (load_batch(samples, sampler, 3, HOW, (0, s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (first[0] != other[0]).any()


def test_photos_that_cannot_be_read_are_named_once_and_others_drawn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    samples: list[Sample] = write_scenes(tmp_path, 4)
    sampler = Sampler(class_shares(samples), np.zeros(4, np.int64), (1.0,), rare=0.1)
    samples[0].image.unlink()
    how = replace(HOW, paste=1)
    first, again = (load_batch(samples, sampler, 6, how, (0,)) for _ in range(2))
    assert first[0].shape == (6, 64, 64, 3)
    np.testing.assert_array_equal(first[0], again[0])
    (told,) = caplog.messages
    assert told.startswith(f"{samples[0].image} cannot be used: FileNotFoundError")
