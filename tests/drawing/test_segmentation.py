import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bentoml_img.drawing.ink import MIN_TEXT, PAPER
from bentoml_img.drawing.segmentation import colour_mask, legend, overlay
from bentoml_img.images import encode_jpeg, encode_png, load_rgb, open_image
from bentoml_img.labels import VOC
from bentoml_img.palettes import PALETTES, PaletteName
from bentoml_img.segment import Segmentation
from tests.samples import jpeg, photo, rgb_profile


def segmentation(width: int, height: int) -> Segmentation:
    """Background, a person to the right, a car at the bottom left."""
    mask = np.zeros((height, width), np.uint8)
    mask[:, width // 2 :] = 15
    mask[height // 2 :, : width // 2] = 7
    return Segmentation(mask, VOC)


@pytest.mark.parametrize("palette", PALETTES)
def test_a_mask_file_has_ids_as_pixels_and_colours_in_its_palette(palette: PaletteName) -> None:
    answer = segmentation(21, 10)
    stored = Image.open(io.BytesIO(encode_png(colour_mask(answer, palette))))
    assert stored.mode == "P"
    np.testing.assert_array_equal(np.asarray(stored), answer.mask)
    colours = np.asarray(stored.convert("RGB"))
    for (y, x), k in np.ndenumerate(answer.mask):
        assert tuple(colours[y, x].tolist()) == PALETTES[palette](int(k))


def test_every_id_has_its_colour() -> None:
    answer = Segmentation(np.arange(256, dtype=np.uint8).reshape(16, 16), VOC)
    colours = np.asarray(colour_mask(answer).convert("RGB")).reshape(256, 3)
    assert [tuple(c) for c in colours.tolist()] == [PALETTES["voc"](k) for k in range(256)]


@pytest.mark.parametrize("size", [(96, 64), (700, 600)])
def test_an_overlay_tints_the_classes_and_leaves_the_background(size: tuple[int, int]) -> None:
    image, answer = photo(*size), segmentation(*size)
    drawn = np.asarray(overlay(image, answer), int)[: size[1], : size[0]]
    before = np.asarray(image, int)
    background = answer.mask == 0
    np.testing.assert_array_equal(drawn[background], before[background])
    for k in (15, 7):
        there = answer.mask == k
        mixed = 0.45 * before[there] + 0.55 * np.array(PALETTES["voc"](k))
        assert np.abs(drawn[there] - mixed).max() <= 2


@pytest.mark.parametrize("size", [(1, 1), (20, 15), (640, 480), (40, 900), (3000, 40)])
def test_the_legend_names_the_classes_at_any_size(size: tuple[int, int]) -> None:
    answer = segmentation(*size)
    drawn = overlay(photo(*size), answer)
    assert drawn.width >= size[0]
    assert drawn.height >= size[1] + MIN_TEXT
    panel = np.asarray(drawn)[size[1] :].reshape(-1, 3)
    there = {tuple(c) for c in np.unique(panel, axis=0).tolist()}
    assert {PALETTES["voc"](k) for k in np.unique(answer.mask) if k} <= there | {(0, 0, 0)}
    assert PAPER in there
    assert (panel < 100).all(axis=1).sum() > 50, "there is text"


def test_the_text_grows_with_the_picture() -> None:
    entries = {"person": (192, 128, 128), "car": (128, 128, 128)}
    small, large = (legend(entries, size).height for size in ((640, 480), (4000, 3000)))
    assert large > 4 * small


def test_many_classes_take_several_lines() -> None:
    entries = {name: PALETTES["voc"](k) for k, name in enumerate(VOC)}
    one, many = legend({"person": (192, 128, 128)}, (640, 480)), legend(entries, (640, 480))
    assert one.width == many.width == 640
    assert many.height > 2 * one.height


def test_background_alone_is_said_to_be() -> None:
    answer = replace(segmentation(64, 48), mask=np.zeros((48, 64), np.uint8))
    panel = np.asarray(overlay(photo(64, 48), answer))[48:]
    assert (panel.reshape(-1, 3) < 100).all(axis=1).sum() > 50


def test_an_overlay_has_the_profile_of_the_photo() -> None:
    profile = rgb_profile()
    image = load_rgb(open_image(jpeg(80, 60, icc_profile=profile)))
    drawn = encode_jpeg(overlay(image, segmentation(80, 60)))
    assert Image.open(io.BytesIO(drawn)).info["icc_profile"] == profile
