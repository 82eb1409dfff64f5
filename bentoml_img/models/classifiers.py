"""Light classification networks: a linear layer on the mean of EfficientNet-Lite2's features."""

from torch import Tensor, nn

from bentoml_img.labels import CIFAR10
from bentoml_img.models.efficientnet_lite import PYRAMID_STRIDES, EfficientNetLite


class LiteClassifier(nn.Module):
    """Class scores of photos.

    Takes float images of shape (N, 3, H, W), normalised as the backbone says, with H
    and W multiples of 32, and returns logits of shape (N, classes).
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.backbone = EfficientNetLite(output_stride=PYRAMID_STRIDES[-1])
        self.head = nn.Linear(self.backbone.channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.backbone(images).mean(dim=(2, 3)))
        return logits


def cifar_lite() -> LiteClassifier:
    """EfficientNet-Lite2 for CIFAR-10's ten classes, random weights."""
    return LiteClassifier(len(CIFAR10))
