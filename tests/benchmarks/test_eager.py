"""What we are compared with gives the answers that we give."""

import numpy as np
from PIL import Image

from benchmarks.detectors import compare
from benchmarks.eager import EagerMaskRcnn, eager_segmenter
from bentoml_img.detect import Detector
from bentoml_img.paths import ROOT, SHIPPED
from bentoml_img.segment import Segmenter


def photo(name: str) -> Image.Image:
    with Image.open(ROOT / "images" / name) as image:
        return image.convert("RGB").reduce(2)


def test_eager_mask_rcnn_finds_the_same_things() -> None:
    bundle, photos = SHIPPED / "maskrcnn_lite", [photo("people_mechanics.jpg")]
    agreement = compare(
        Detector.from_bundle(bundle, "torch")(photos, duplicates=True),
        EagerMaskRcnn(bundle)(photos),
    )
    assert agreement.instances == agreement.found > 2
    assert agreement.box_px < 0.01
    assert agreement.score < 1e-4
    assert agreement.mask_iou > 0.998


def test_the_eager_segmenter_gives_the_same_labels() -> None:
    bundle, photos = SHIPPED / "deeplabv3_lite", [photo("dog.jpg")]
    (ours,) = Segmenter.from_bundle(bundle, "torch")(photos)
    (theirs,) = eager_segmenter(bundle)(photos)
    assert theirs.mask.max() > 0
    assert np.mean(ours.mask == theirs.mask) > 0.9999
