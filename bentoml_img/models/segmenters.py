"""Light segmentation networks: torchvision's heads on EfficientNet-Lite2.

The heads are those of Chen et al., "Rethinking Atrous Convolution for Semantic
Image Segmentation" (arXiv 1706.05587), with the rates that the paper gives for
output stride 16, and of Long et al., "Fully Convolutional Networks for Semantic
Segmentation" (arXiv 1411.4038).
"""

from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import DeepLabHead
from torchvision.models.segmentation.fcn import FCNHead

from bentoml_img.labels import VOC
from bentoml_img.models.efficientnet_lite import EfficientNetLite

ATROUS_RATES = (6, 12, 18)


class LiteSegmenter(nn.Module):
    """Class scores on a grid of one cell every 16 pixels.

    Takes float images of shape (N, 3, H, W), normalised as the backbone says,
    and returns logits of shape (N, classes, H/16, W/16). Interpolate these,
    bilinearly and with unaligned corners, to the size that the mask shall have.
    """

    def __init__(self, backbone: EfficientNetLite, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.backbone(images))
        return logits


def deeplabv3_head(channels: int) -> DeepLabHead:
    """VOC class scores from features of so many channels, at five scales."""
    return DeepLabHead(channels, len(VOC), ATROUS_RATES)


def fcn_head(channels: int) -> FCNHead:
    """VOC class scores from features of so many channels, by two convolutions."""
    return FCNHead(channels, len(VOC))


HEADS = {"deeplabv3_lite": deeplabv3_head, "fcn_lite": fcn_head}


def deeplabv3_lite() -> LiteSegmenter:
    """DeepLabV3 on EfficientNet-Lite2, 21 VOC classes, random weights."""
    backbone = EfficientNetLite()
    return LiteSegmenter(backbone, deeplabv3_head(backbone.channels))


def fcn_lite() -> LiteSegmenter:
    """FCN on EfficientNet-Lite2, 21 VOC classes, random weights."""
    backbone = EfficientNetLite()
    return LiteSegmenter(backbone, fcn_head(backbone.channels))
