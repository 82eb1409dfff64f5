from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bentoml_img.labels import TRAFFIC
from bentoml_img.training.detection.augment import (
    Augmentation,
    Window,
    aim,
    boxes_of,
    load_batch,
    paste,
)
from bentoml_img.training.detection.data import Instance, Scene, from_mask, read_instances
from bentoml_img.training.detection.sampler import Sampler, Source, pasteable
from tests.training.streets import CROWD, write_streets

PERSON, BICYCLE, CAR, BUS = (TRAFFIC.index(name) for name in ("person", "bicycle", "car", "bus"))
PLAIN = Augmentation(crop=(64, 96), jitter=0, grey=0, blur=0)
RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture
def scenes(tmp_path: Path) -> list[Scene]:
    return read_instances(write_streets(tmp_path, 6), "train")


def is_colour(pixels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Where a picture has about this colour."""
    distance: np.ndarray = np.abs(pixels.astype(int) - colour).max(axis=-1)
    return distance < 60


@pytest.mark.parametrize("scale", [(0.4, 0.4), (1.0, 1.0), (1.7, 1.3), (3.0, 3.0)])
def test_masks_lie_on_what_they_are_of(scenes: list[Scene], scale: tuple[float, float]) -> None:
    for seed, scene in enumerate(scenes):
        window = aim(scene, scale, PLAIN, np.random.default_rng(seed))
        crop = window.crop(scene)
        assert crop.pixels.shape == (64, 96, 3)
        for label, colour in ((PERSON, RED), (CAR, BLUE)):
            masks = crop.masks[crop.labels == label].astype(bool).any(axis=0)
            seen = is_colour(crop.pixels, colour)
            assert (masks != seen).sum() <= 0.1 * masks.sum() + 40


def test_a_window_is_aimed_at_instances_and_stays_in_the_scene(scenes: list[Scene]) -> None:
    always = Augmentation(crop=(32, 32), aim=1)
    for seed in range(30):
        window = aim(scenes[1], (1.0, 1.0), always, np.random.default_rng(seed))
        assert 0 <= window.corner[0] <= 96
        assert 0 <= window.corner[1] <= 32
        assert window.crop(scenes[1]).masks.any()


def test_a_run_length_mask_is_scaled_like_its_photo(scenes: list[Scene]) -> None:
    scene = scenes[1]
    pixels = is_colour(np.asarray(scene.load()), BLUE)
    window = Window((96, 64), (3.5, 20.25), (1.5, 1.5))
    mask = window.mask(from_mask(CAR, pixels), scene)
    seen = is_colour(window.pixels(scene), BLUE)
    assert mask.sum() > 300
    assert (mask != seen).sum() <= 0.1 * seen.sum()


def test_crowds_are_kept_apart(scenes: list[Scene]) -> None:
    crop = Window((128, 64), (0, 0), (1, 1)).crop(scenes[0])
    assert crop.crowds.tolist() == [[96, 44, 126, 62]]
    assert sorted(crop.labels.tolist()) == [PERSON, CAR, BUS]


def test_crowds_are_mirrored_with_their_photo(scenes: list[Scene]) -> None:
    sampler = Sampler([Source(scenes[:1], 1.0, (64, 64))], rare=0.3)
    crops = load_batch(sampler, 20, replace(PLAIN, crop=(64, 128), aspect=1), (0,))
    for crop in crops:
        ((left, top, right, bottom),) = crop.crowds.astype(int)
        assert is_colour(crop.pixels[top:bottom, left:right], CROWD).mean() > 0.9
    assert {crop.crowds[0, 0] for crop in crops} == {96, 128 - 126}


def test_what_is_pasted_has_colours_of_its_own(scenes: list[Scene]) -> None:
    window = Window((128, 64), (0, 0), (1, 1))
    crop = window.crop(Scene(scenes[1].image, (128, 64), ()))
    bus = scenes[0].instances[2]
    paste(crop, window, (scenes[0], bus), replace(PLAIN, grey=1), np.random.default_rng(1))
    (mask,) = crop.masks.astype(bool)
    assert (np.ptp(crop.pixels[mask], axis=1) == 0).all()
    assert np.ptp(crop.pixels[~mask], axis=1).max() == 255, "the street keeps its own"


def test_what_is_pasted_hides_what_is_under_it(scenes: list[Scene]) -> None:
    window = Window((128, 64), (0, 0), (1, 1))
    bus = next(i for i in scenes[0].instances if i.label == BUS)
    pasted = 0
    for seed in range(20):
        crop = window.crop(scenes[1])
        paste(crop, window, (scenes[0], bus), PLAIN, np.random.default_rng(seed))
        if len(crop.labels) == 2:  # it was pasted beyond the edge
            continue
        pasted += 1
        assert crop.labels.tolist() == [CAR, PERSON, BUS]
        assert (crop.masks.sum(axis=0) <= 1).all()
        assert is_colour(crop.pixels[crop.masks[2] > 0], (0, 255, 0)).mean() > 0.8
    assert pasted


def thing(label: int, left: int, top: int, right: int, bottom: int) -> Instance:
    pixels = np.zeros((64, 128), np.bool_)
    pixels[top:bottom, left:right] = True
    return from_mask(label, pixels)


@pytest.mark.parametrize(("behind", "pasted"), [(50, 16 * 20), (40, 0)])
def test_what_stands_in_front_is_not_pasted(scenes: list[Scene], behind: int, pasted: int) -> None:
    far, near = thing(CAR, 20, 0, 60, 60), thing(PERSON, behind - 4, 30, behind + 10, 50)
    bus = thing(BUS, 30, 30, 50, 50)
    window = Window((128, 64), (0, 0), (1, 1))
    crop = window.crop(Scene(scenes[1].image, (128, 64), ()))
    how = replace(PLAIN, paste_scale=(1, 1))
    street = Scene(scenes[0].image, (128, 64), (far, bus, near))
    paste(crop, window, (street, bus), how, np.random.default_rng(1))
    assert crop.masks.sum() == pasted


def test_a_bicycle_is_pasted_with_its_rider(scenes: list[Scene]) -> None:
    bicycle = thing(BICYCLE, 40, 30, 60, 50)
    rider, walker = thing(PERSON, 45, 15, 55, 42), thing(PERSON, 80, 10, 90, 50)
    street = Scene(scenes[0].image, (128, 64), (bicycle, rider, walker))
    window = Window((128, 64), (0, 0), (1, 1))
    crop = window.crop(Scene(scenes[1].image, (128, 64), ()))
    paste(crop, window, (street, bicycle), PLAIN, np.random.default_rng(1))
    assert crop.labels.tolist() == [BICYCLE, PERSON]


def test_a_batch_depends_on_its_seed_alone(scenes: list[Scene]) -> None:
    sampler = Sampler([Source(scenes, 1.0, (40, 90), pastes=True)], rare=0.3)
    how = Augmentation(crop=(64, 96), paste=0.9)
    first, again, other = (load_batch(sampler, 3, how, (0, step)) for step in (1, 1, 2))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.pixels, two.pixels)
        np.testing.assert_array_equal(one.masks, two.masks)
        np.testing.assert_array_equal(one.crowds, two.crowds)
    assert any((a.pixels != b.pixels).any() for a, b in zip(first, other, strict=True))
    for crop in first:
        boxes = boxes_of(crop.masks)
        assert ((boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=3) >= 3).all()
        assert len(crop.masks) == len(crop.labels) == len(crop.areas)


def test_photos_that_cannot_be_read_are_named_once_and_others_drawn(
    scenes: list[Scene], caplog: pytest.LogCaptureFixture
) -> None:
    sampler = Sampler([Source(scenes, 1.0, (40, 90), pastes=True)], rare=0.3)
    sampler.pasteable = {BUS: [(scene, scene.instances[2]) for scene in scenes[::3]]}
    scenes[0].image.write_bytes(b"no picture")
    how = Augmentation(crop=(64, 96), paste=1)
    first, again = (load_batch(sampler, 12, how, (0,)) for _ in range(2))
    assert len(first) == 12
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.pixels, two.pixels)
    (told,) = caplog.messages
    assert told.startswith(f"{scenes[0].image} cannot be used: ")


def test_what_is_nearly_hidden_becomes_a_crowd(scenes: list[Scene]) -> None:
    sampler = Sampler([Source(scenes, 1.0, (200, 400))], rare=0.3)
    crops = load_batch(sampler, 40, Augmentation(crop=(32, 32), aim=0), (0,))
    for crop in crops:
        assert (crop.masks.sum(axis=(1, 2)) >= np.maximum(12, 0.05 * crop.areas)).all()
    assert sum(len(crop.crowds) for crop in crops) > 0


def test_boxes_of_masks() -> None:
    masks = np.zeros((3, 20, 30), np.uint8)
    masks[0, 3:7, 10:12] = 1
    masks[1] = 1
    assert boxes_of(masks).tolist() == [[10, 3, 12, 7], [0, 0, 30, 20], [0, 0, 0, 0]]


def test_proportions_are_kept_and_rare_classes_drawn_more_often(scenes: list[Scene]) -> None:
    bus = [scene for scene in scenes if any(i.label == BUS for i in scene.instances)][:1]
    rest = [scene for scene in scenes if all(i.label != BUS for i in scene.instances)] * 8
    sources = [Source(bus + rest, 0.4, (40, 90), pastes=True), Source(scenes, 0.6, (40, 90))]
    sampler = Sampler(sources, rare=0.3)
    large, small = 0.4 * len(bus + rest) ** 0.5, 0.6 * len(scenes) ** 0.5
    assert sampler.proportions[0] == pytest.approx(large / (large + small))
    of_streets = sampler.probabilities[0]
    assert of_streets.sum() == pytest.approx(1)
    assert of_streets[0] > 3 * of_streets[1]


def test_a_batch_of_enlarged_scenes_has_fewer_in_larger_crops(scenes: list[Scene]) -> None:
    sampler = Sampler([Source(scenes, 1.0, (40, 90), enlarged=4)], rare=0.3)
    crops = load_batch(sampler, 8, Augmentation(crop=(64, 96)), (0,))
    assert [crop.pixels.shape for crop in crops] == [(128, 192, 3)] * 2
    assert sampler.batches(8) == len(scenes) // 2
    assert Source(scenes, 1.0, (40, 90), enlarged=3).in_batch(4) == 2


def test_scenes_with_nothing_to_find_are_drawn_less_often(scenes: list[Scene]) -> None:
    empty = replace(scenes[0], instances=())
    (probabilities,) = Sampler([Source([scenes[1], empty], 1.0, (40, 90))], rare=0.3).probabilities
    np.testing.assert_allclose(probabilities, (0.75, 0.25))


def test_classes_with_few_instances_are_pasted(scenes: list[Scene]) -> None:
    def some(label: int, n: int, side: int) -> list[Instance]:
        return [from_mask(label, square(side)) for _ in range(n)]

    def square(side: int, left: int = 1) -> Any:
        pixels = np.zeros((64, 128), np.bool_)
        pixels[1 : side + 1, left : side + left] = True
        return pixels

    cut_off = from_mask(BUS, square(20, left=0))
    instances = [*some(PERSON, 40, 20), *some(BUS, 9, 20), *some(BICYCLE, 9, 5), *some(CAR, 10, 20)]
    instances.append(cut_off)
    found = pasteable([*scenes[1:2], Scene(scenes[0].image, (128, 64), tuple(instances))])
    assert {label: len(there) for label, there in found.items()} == {BUS: 9}
