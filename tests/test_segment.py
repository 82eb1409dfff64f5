import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import get_model, get_model_weights

from bentoml_img import zoo
from bentoml_img.arrays import Float32Array
from bentoml_img.bundle import BundleError, Manifest
from bentoml_img.images import open_image
from bentoml_img.labels import VOC
from bentoml_img.postprocessing.upsample import upsample_labels
from bentoml_img.segment import Segmentation, Segmenter
from tests.samples import encode, jpeg, photo
from tests.segmenters import lively_module, manifest_of

OFFICIAL = [
    name for name, entry in zoo.ZOO.items() if entry.published and entry.task == "segmentation"
]
SIZES = [(96, 64), (61, 97), (130, 77), (200, 51), (33, 40)]  # width, height
TORCHVISION = manifest_of("lraspp_mobilenet_v3_large")
LITE = manifest_of("deeplabv3_lite")


class ModuleEngine:
    """A module in this process, as an engine."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.module = module

    @torch.no_grad()
    def __call__(self, batch: Float32Array) -> Float32Array:
        scores: Float32Array = self.module(torch.from_numpy(batch)).numpy()
        return scores


class CornerEngine:
    """A network that sees a class in each corner of any photo."""

    def __call__(self, batch: Float32Array) -> Float32Array:
        scores = np.zeros((1, 21, 8, 8), np.float32)
        for k, rows, columns in ((0, 0, 0), (5, 0, 1), (9, 1, 0), (15, 1, 1)):
            scores[0, k, 4 * rows : 4 * rows + 4, 4 * columns : 4 * columns + 4] = 1
        return scores


def noisy_photo(width: int, height: int) -> Image.Image:
    random = np.random.default_rng(width)
    coarse = random.integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("name", OFFICIAL)
def test_labels_are_those_of_torchvision(name: str) -> None:
    module = lively_module(name)
    reference = get_model(name, weights=None, weights_backbone=None, num_classes=len(VOC)).eval()
    reference.load_state_dict(module.state_dict())
    preset = get_model_weights(name)["COCO_WITH_VOC_LABELS_V1"].transforms(resize_size=96)
    segmenter = Segmenter(manifest_of(name, side=96), ModuleEngine(module))
    seen = set()
    for size in SIZES:
        image = noisy_photo(*size)
        with torch.no_grad():
            expected = reference(preset(image)[None])["out"][0].argmax(0).numpy()
        pixels = segmenter.preprocess(image)
        labels = upsample_labels(segmenter.scores(pixels), *pixels.shape[1:])
        np.testing.assert_array_equal(labels, expected)
        seen.update(np.unique(expected).tolist())
    assert len(seen) > 3


@pytest.mark.parametrize("size", SIZES)
def test_pixels_are_those_of_torchvision(size: tuple[int, int]) -> None:
    preset = get_model_weights("fcn_resnet50")["COCO_WITH_VOC_LABELS_V1"].transforms()
    pixels = Segmenter(TORCHVISION, CornerEngine()).preprocess(noisy_photo(*size))
    np.testing.assert_array_equal(pixels, preset(noisy_photo(*size)).numpy())


def test_more_classes_than_a_byte_can_tell_are_refused() -> None:
    labels = tuple(map(str, range(257)))
    Segmenter(replace(LITE, labels=labels[:256]), CornerEngine())
    with pytest.raises(BundleError, match="has 257 classes"):
        Segmenter(replace(LITE, labels=labels), CornerEngine())


def test_a_mask_has_the_size_of_its_photo() -> None:
    segmenter = Segmenter(TORCHVISION, CornerEngine())
    (answer,) = segmenter([photo(301, 200)])
    assert answer.mask.shape == (200, 301)
    corners = answer.mask[0, 0], answer.mask[0, -1], answer.mask[-1, 0], answer.mask[-1, -1]
    assert corners == (0, 5, 9, 15)


@pytest.mark.parametrize("format_name", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_prepared_photo_is_upright_in_any_format(orientation: int, format_name: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    opened = open_image(encode(photo(400, 300), format_name, exif=exif))
    segmenter = Segmenter(TORCHVISION, CornerEngine())
    pixels, size = segmenter.prepare(opened)
    upright = (300, 400) if orientation == 6 else (400, 300)
    assert size == upright
    assert pixels.shape[1:] == segmenter.size_seen(upright)[::-1]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_prepared_photo_is_upright_and_has_its_full_size(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    opened = open_image(jpeg(4400, 2400, exif=exif))
    segmenter = Segmenter(TORCHVISION, CornerEngine())
    pixels, size = segmenter.prepare(opened)
    upright = (4400, 2400) if orientation < 5 else (2400, 4400)
    assert sorted(opened.size) == [1200, 2200], "decoded at half its size"
    assert size == upright
    assert pixels.shape[1:] == segmenter.size_seen(upright)[::-1]
    assert segmenter.segmentation(segmenter.scores(pixels), size).mask.shape == upright[::-1]


def test_decoding_at_less_changes_next_to_nothing() -> None:
    segmenter = Segmenter(TORCHVISION, CornerEngine())
    smooth = noisy_photo(275, 300).resize((2200, 2400), Image.Resampling.BICUBIC)
    data = encode(smooth, "JPEG", quality=95)
    scaled, _ = segmenter.prepare(open_image(data))
    full = segmenter.preprocess(open_image(data))
    grey_level = 1 / 255 / min(TORCHVISION.std)
    assert 0 < np.abs(scaled - full).mean() < 0.5 * grey_level


@pytest.mark.parametrize(
    ("manifest", "size", "seen"),
    [
        (TORCHVISION, (640, 480), (693, 520)),
        (TORCHVISION, (480, 640), (520, 693)),
        (TORCHVISION, (3001, 2000), (780, 520)),
        (TORCHVISION, (1, 1), (520, 520)),
        (TORCHVISION, (8000, 1000), (2080, 260)),
        (TORCHVISION, (1, 20_000), (1, 2080)),
        (LITE, (640, 480), (512, 384)),
        (LITE, (500, 333), (576, 384)),
        (LITE, (20_000, 1), (1536, 16)),
    ],
)
def test_what_the_network_sees(
    manifest: Manifest, size: tuple[int, int], seen: tuple[int, int]
) -> None:
    assert Segmenter(manifest, CornerEngine()).size_seen(size) == seen


def test_classes_are_counted_the_largest_first() -> None:
    mask = np.zeros((10, 20), np.uint8)
    mask[:7] = 15
    mask[9, :5] = 7
    answer = Segmentation(mask, VOC)
    assert [(area.id, area.label, area.pixels, area.share) for area in answer.areas()] == [
        (15, "person", 140, 0.7),
        (0, "background", 55, 0.275),
        (7, "car", 5, 0.025),
    ]
    assert answer.areas()[0].colour == (192, 128, 128)
    assert answer.areas("hub")[0].colour == (15, 120, 210)
    as_json = json.loads(json.dumps(asdict(answer.summary())))
    assert (as_json["width"], as_json["height"]) == (20, 10)
    assert as_json["classes"][2] == {
        "id": 7,
        "label": "car",
        "colour": [128, 128, 128],
        "pixels": 5,
        "share": 0.025,
    }
