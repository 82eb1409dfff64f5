"""Models with random weights; a Mask R-CNN finds things with them all the same."""

import torch
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.transforms.functional import to_tensor

from bentoml_img import zoo
from bentoml_img.images import read_rgb
from bentoml_img.models.efficientnet_lite import ConvNorm
from bentoml_img.paths import ROOT

PHOTO = ROOT / "images" / "street.jpg"
# The deviation of the logits of COCO's classes, and what the background has more of: with these
# some ten things of a photo pass 0.5 and some twenty 0.05, of which torchvision makes masks.
CLASSES, BACKGROUND = 8.0, 24.0
OBJECTNESS, DELTAS, SIDES, MASKS = 1.0, 0.2, 1.0, 3.0  # deviations of what the heads say


def random_network(name: str) -> nn.Module:
    """A model of the zoo with random weights, always the same; a detector is enlivened."""
    torch.manual_seed(0)
    network = zoo.build(name)
    if isinstance(network, MaskRCNN):
        photo = to_tensor(read_rgb(PHOTO))
        enliven(network, photo, CLASSES, BACKGROUND)
    return network


@torch.no_grad()
def enliven(model: MaskRCNN, image: Tensor, classes: float, background: float = 0) -> None:
    """Spread what an untrained model's heads say of an image (3, H, W) of 0–1; in place.

    Untrained, they say almost the same everywhere, and nothing passes the least
    score. `classes` is the standard deviation of the classes' logits: the larger, the
    more is found. `background` is added to the logit of the background.
    """
    for layer in model.modules():
        if isinstance(layer, ConvNorm):  # so that its signals do not fade
            nn.init.kaiming_normal_(layer.conv.weight, nonlinearity="relu")
    heads = model.roi_heads
    deviations = {
        model.rpn.head.cls_logits: OBJECTNESS,
        model.rpn.head.bbox_pred: DELTAS,
        heads.box_predictor.cls_score: classes,
        heads.box_predictor.bbox_pred: SIDES,
        heads.mask_predictor.mask_fcn_logits: MASKS,
    }
    hooks = [layer.register_forward_hook(_Spread(wanted)) for layer, wanted in deviations.items()]
    model.eval()([image])
    for hook in hooks:
        hook.remove()
    heads.box_predictor.cls_score.bias[0] += background


class _Spread:
    """Scales a layer's weights, once, so that its outputs have mean 0 and this deviation."""

    def __init__(self, deviation: float) -> None:
        self.deviation = deviation
        self.done = False

    def __call__(self, layer: nn.Module, inputs: tuple[Tensor], outputs: Tensor) -> Tensor | None:
        if self.done:
            return None
        self.done = True
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        assert layer.bias is not None
        layer.weight *= self.deviation / outputs.std()
        layer.bias *= 0
        outputs = layer.forward(inputs[0])
        layer.bias -= outputs.mean(dim=[axis for axis in range(outputs.ndim) if axis != 1])
        return layer.forward(inputs[0])
