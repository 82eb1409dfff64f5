import pytest
import torch
from torchvision.models.detection import MaskRCNN_ResNet50_FPN_Weights, maskrcnn_resnet50_fpn
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import FrozenBatchNorm2d

from bentoml_img import zoo
from bentoml_img.models.detectors import ANCHOR_SIDES, CHANNELS, LitePyramid, maskrcnn_lite
from bentoml_img.models.maskrcnn import Trunk, flatten, levels_of, propose
from tests.detectors import lively_detector


def test_the_pyramid_has_five_levels() -> None:
    with torch.no_grad():
        levels = list(LitePyramid().eval()(torch.zeros(1, 3, 128, 192)).values())
    assert [tuple(level.shape) for level in levels] == [
        (1, CHANNELS, 128 // stride, 192 // stride) for stride in (4, 8, 16, 32, 64)
    ]


def test_anchors_begin_at_8_pixels_on_the_finest_level() -> None:
    generator = maskrcnn_lite().rpn.anchor_generator
    assert len(generator.cell_anchors) == len(ANCHOR_SIDES) == 5
    first = generator.cell_anchors[0]
    smallest = (first[:, 2:] - first[:, :2]).prod(dim=1).sqrt().min()
    assert smallest == pytest.approx(8, abs=0.5)


def test_fits_into_25_megabytes_in_half_precision() -> None:
    assert sum(value.numel() for value in maskrcnn_lite().state_dict().values()) * 2 < 25e6


def test_the_official_one_is_built_as_for_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = zoo.build("maskrcnn_resnet50_fpn")
    weights = MaskRCNN_ResNet50_FPN_Weights.COCO_V1
    state = ours.state_dict()
    monkeypatch.setattr(type(weights), "get_state_dict", lambda self, **_: state)
    theirs = maskrcnn_resnet50_fpn(weights=weights)
    assert repr(ours) == repr(theirs)
    assert {m.eps for m in ours.modules() if isinstance(m, FrozenBatchNorm2d)} == {0.0}


def test_proposals_are_those_of_torchvision() -> None:
    model = lively_detector("maskrcnn_lite")
    images = ImageList(torch.randn(2, 3, 96, 160), [(96, 160), (90, 150)])
    with torch.no_grad():
        features = model.backbone(images.tensors)
        expected, _ = model.rpn(images, features)
        levels, objectness, deltas = levels_of(Trunk(model)(images.tensors))
        anchors = model.rpn.anchor_generator(images, list(levels.values()))
        proposals = propose(model.rpn, anchors, *flatten(objectness, deltas), images.image_sizes)
    assert min(len(boxes) for boxes in expected) > 50
    for ours, theirs in zip(proposals, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
