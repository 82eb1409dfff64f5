"""A light Mask R-CNN: torchvision's, on a feature pyramid over EfficientNet-Lite2.

He et al., "Mask R-CNN" (arXiv 1703.06870), on the pyramid of Lin et al.,
"Feature Pyramid Networks" (arXiv 1612.03144). What is light are the backbone,
96 channels instead of 256, and short heads; anchors begin at 8 pixels, because
people down a street are that small.
"""

from collections import OrderedDict

from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool

from bentoml_img.labels import TRAFFIC
from bentoml_img.models.efficientnet_lite import PYRAMID_STRIDES, EfficientNetLite
from bentoml_img.transforms import LITE_PYRAMID

CHANNELS = 96
BOX_FEATURES = 512
MASK_LAYERS = (CHANNELS, CHANNELS)
ROI_SIDE = 7  # of the box head's features; the mask head's are twice that

# Side lengths of anchors in pixels, on each level: ten, equal steps apart, from 8 to 512.
ANCHOR_SIDES = ((8, 13), (20, 32), (51, 81), (128, 203), (322, 512))
ASPECT_RATIOS = (0.5, 1.0, 2.0)


class LitePyramid(nn.Module):
    """Five maps of CHANNELS channels at strides 4 to 64 for images (N, 3, H, W).

    Images are normalised as the backbone says; H and W are multiples of 32.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = EfficientNetLite(output_stride=PYRAMID_STRIDES[-1])
        self.fpn = FeaturePyramidNetwork(
            self.body.level_channels, CHANNELS, extra_blocks=LastLevelMaxPool()
        )
        self.out_channels = CHANNELS

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        levels = self.body.pyramid(images)
        features: dict[str, Tensor] = self.fpn(
            OrderedDict((str(i), level) for i, level in enumerate(levels))
        )
        return features


def maskrcnn_lite() -> MaskRCNN:
    """Mask R-CNN for the classes of TRAFFIC, random weights."""
    classes = len(TRAFFIC)
    mask_predictor = MaskRCNNPredictor(MASK_LAYERS[-1], CHANNELS, classes)
    # Else masks begin as sure of themselves as they are wrong.
    nn.init.normal_(mask_predictor.mask_fcn_logits.weight, std=1e-3)
    return MaskRCNN(
        LitePyramid(),
        min_size=LITE_PYRAMID.input_size[0],
        max_size=LITE_PYRAMID.input_size[1],
        image_mean=LITE_PYRAMID.mean,
        image_std=LITE_PYRAMID.std,
        rpn_anchor_generator=AnchorGenerator(ANCHOR_SIDES, (ASPECT_RATIOS,) * len(ANCHOR_SIDES)),
        # At torchvision's 0.7 two of three small people had no anchor that finds them.
        rpn_fg_iou_thresh=0.5,
        rpn_pre_nms_top_n_train=1000,
        rpn_post_nms_top_n_train=800,
        rpn_post_nms_top_n_test=500,
        box_batch_size_per_image=256,
        box_head=TwoMLPHead(CHANNELS * ROI_SIDE**2, BOX_FEATURES),
        box_predictor=FastRCNNPredictor(BOX_FEATURES, classes),
        mask_head=MaskRCNNHeads(CHANNELS, MASK_LAYERS, dilation=1),
        mask_predictor=mask_predictor,
    )
