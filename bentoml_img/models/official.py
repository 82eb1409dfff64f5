"""torchvision's segmentation networks, ending where their class scores are computed.

The last step of torchvision's own modules enlarges the scores to the size of the
network's input. Here it is left out: whoever calls enlarges them once, to the
size that the mask shall have, instead of twice.
"""

from collections.abc import Callable

from torch import Tensor, nn
from torchvision.models import segmentation

from bentoml_img.labels import VOC


class ScoreGrid(nn.Module):
    """A torchvision segmenter's backbone and head.

    Takes normalised float images (N, 3, H, W) and returns logits (N, classes,
    h, w) on a grid of cells of 8 or 16 pixels a side. The state dict is that of
    torchvision's module without its auxiliary head, which is for training only.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.backbone = network.get_submodule("backbone")
        self.classifier = network.get_submodule("classifier")

    def forward(self, images: Tensor) -> Tensor:
        features = self.backbone(images)
        # The head of LR-ASPP takes features of two levels, under names of their own.
        logits: Tensor = self.classifier(features.get("out", features))
        return logits


def _build(function: Callable[..., nn.Module]) -> ScoreGrid:
    return ScoreGrid(function(weights=None, weights_backbone=None, num_classes=len(VOC)))


def deeplabv3_resnet101() -> ScoreGrid:
    return _build(segmentation.deeplabv3_resnet101)


def deeplabv3_resnet50() -> ScoreGrid:
    return _build(segmentation.deeplabv3_resnet50)


def deeplabv3_mobilenet_v3_large() -> ScoreGrid:
    return _build(segmentation.deeplabv3_mobilenet_v3_large)


def fcn_resnet101() -> ScoreGrid:
    return _build(segmentation.fcn_resnet101)


def fcn_resnet50() -> ScoreGrid:
    return _build(segmentation.fcn_resnet50)


def lraspp_mobilenet_v3_large() -> ScoreGrid:
    return _build(segmentation.lraspp_mobilenet_v3_large)
