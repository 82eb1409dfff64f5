"""Detectors with random weights that find many things all the same."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import nn
from torchvision.models.detection import MaskRCNN
from torchvision.ops import MultiScaleRoIAlign

from benchmarks.lively import enliven
from bentoml_img import zoo
from bentoml_img.arrays import BoolArray, Float32Array
from bentoml_img.bundle import Manifest
from bentoml_img.detect import Detector
from bentoml_img.engines.openvino_maskrcnn import Head, NumpyMaskRcnn
from bentoml_img.exporting.export import rules_of
from bentoml_img.images import rgb_array
from bentoml_img.models.maskrcnn import BoxBranch, MaskBranch, Trunk

Window = tuple[slice, slice]  # rows and columns of a picture

SIDES = (96, 192)  # of what the networks see in tests: the short one, the long one at most


def lively_detector(name: str) -> MaskRCNN:
    """A model of the zoo whose scores are spread, of photos seen at SIDES."""
    torch.manual_seed(0)
    model = zoo.build(name).eval()
    assert isinstance(model, MaskRCNN)
    model.transform.min_size, model.transform.max_size = SIDES[:1], SIDES[1]
    photo = torch.from_numpy(np.asarray(noise(160, 120), np.float32) / 255).permute(2, 0, 1)
    enliven(model, photo, classes=1.5 if name == "maskrcnn_lite" else 3.0)  # of 11 or 90
    return model


class AsIs(Detector):
    """Its engine is shown photos as they are: their pixels, 0–255, without padding."""

    def preprocess(self, image: Image.Image) -> tuple[Float32Array, tuple[int, int]]:
        pixels = np.moveaxis(rgb_array(image), 2, 0)[None]
        return pixels.astype(np.float32), (image.height, image.width)


def numpy_engine(model: MaskRCNN) -> NumpyMaskRcnn:
    """The engine for OpenVINO around the networks of a module: exporting takes its time."""

    @torch.no_grad()
    def trunk(image: Float32Array) -> list[Float32Array]:
        return [output.numpy() for output in Trunk(model)(torch.from_numpy(image))]

    def head(pool: MultiScaleRoIAlign, branch: nn.Module) -> Head:
        @torch.no_grad()
        def run(
            maps: Sequence[Float32Array], boxes: Float32Array, height: int
        ) -> list[Float32Array]:
            features = {str(i): torch.from_numpy(level) for i, level in enumerate(maps)}
            pooled = pool(features, [torch.from_numpy(boxes)], [(height, height)])
            return [output.numpy() for output in branch(pooled)]

        return run

    heads = model.roi_heads
    return NumpyMaskRcnn(
        rules_of(model),
        trunk,
        head(heads.box_roi_pool, BoxBranch(model)),
        head(heads.mask_roi_pool, MaskBranch(model)),
    )


def manifest_of(name: str) -> Manifest:
    """What goes into the bundle of a model that sees photos at SIDES."""
    return replace(
        zoo.find(name).manifest(license="Apache-2.0", trained_on="nothing"), input_size=SIDES
    )


def alike(ours: Sequence[Window], theirs: Sequence[Window]) -> BoolArray:
    """Which masks fill the same window in both; one may be off by a pixel.

    A corner that is a thousandth away from the next pixel is rounded to either.
    """
    bounds = [
        np.array([[(rows.start, rows.stop), (columns.start, columns.stop)] for rows, columns in it])
        for it in (ours, theirs)
    ]
    off = np.abs(bounds[0] - bounds[1]).max(axis=(1, 2))
    assert off.max() <= 1
    same: BoolArray = off == 0
    assert same.sum() >= len(same) - 1
    return same


def noise(width: int, height: int) -> Image.Image:
    """A picture of coloured blots."""
    random = np.random.default_rng(width)
    coarse = random.integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
