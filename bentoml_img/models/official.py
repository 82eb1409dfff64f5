"""torchvision's segmentation networks and detectors, for the weights that it publishes.

The segmentation networks end where their class scores are computed. The last
step of torchvision's own modules enlarges the scores to the size of the
network's input. Here it is left out: whoever calls enlarges them once, to the
size that the mask shall have, instead of twice.
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torchvision.models import detection, segmentation
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d

from bentoml_img.labels import COCO, VOC


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


deeplabv3_resnet101 = partial(_build, segmentation.deeplabv3_resnet101)
deeplabv3_resnet50 = partial(_build, segmentation.deeplabv3_resnet50)
deeplabv3_mobilenet_v3_large = partial(_build, segmentation.deeplabv3_mobilenet_v3_large)
fcn_resnet101 = partial(_build, segmentation.fcn_resnet101)
fcn_resnet50 = partial(_build, segmentation.fcn_resnet50)
lraspp_mobilenet_v3_large = partial(_build, segmentation.lraspp_mobilenet_v3_large)


def maskrcnn_resnet50_fpn() -> detection.MaskRCNN:
    """As torchvision builds it for its weights: statistics frozen, and nothing added to variances.

    Asked for no weights, it would build another network.
    """
    backbone = resnet_fpn_backbone(backbone_name="resnet50", weights=None)
    for module in backbone.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.eps = 0.0
    return detection.MaskRCNN(backbone, num_classes=len(COCO))


def maskrcnn_resnet50_fpn_v2() -> detection.MaskRCNN:
    return detection.maskrcnn_resnet50_fpn_v2(
        weights=None, weights_backbone=None, num_classes=len(COCO)
    )
