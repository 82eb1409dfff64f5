"""A small convolutional network for 32×32 photos.

The shape follows Keller Jordan's airbench networks ("94% on CIFAR-10 in 3.29
Seconds on a Single GPU", arXiv 2404.00498): a fixed whitening layer, three
stages that halve the resolution, batch normalisation without a scale, and a
bias-free linear head on max-pooled features.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bentoml_img.labels import CIFAR10

WIDTHS = (96, 320, 384)
EPSILON = 5e-4  # added to eigenvalues, by whose roots filters are divided


class Stage(nn.Module):
    """Halve the resolution, then add two convolutions on a residual branch."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv1 = _conv3x3(in_channels, channels)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv3x3(channels, channels)
        self.norm2 = nn.BatchNorm2d(channels)
        self.conv3 = _conv3x3(channels, channels)
        self.norm3 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        residual = F.silu(self.norm2(self.conv2(x)))
        return x + F.silu(self.norm3(self.conv3(residual)))


class CifarNet(nn.Module):
    """Class scores for 32×32 RGB images.

    Takes float images of shape (N, 3, 32, 32), normalised per channel, and
    returns logits of shape (N, 10).
    """

    def __init__(self, widths: tuple[int, int, int] = WIDTHS) -> None:
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, kernel_size=2)
        self.whiten.weight.requires_grad_(False)
        inputs = (24, *widths[:-1])
        self.stages = nn.Sequential(
            *(Stage(i, channels) for i, channels in zip(inputs, widths, strict=True))
        )
        self.head = nn.Linear(widths[-1], len(CIFAR10), bias=False)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages(F.silu(self.whiten(x)))
        logits: Tensor = self.head(x.amax(dim=(2, 3))) / 9.0  # keeps the first logits small
        return logits


def _conv3x3(in_channels: int, out_channels: int) -> nn.Conv2d:
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
    # The first filters pass their input through (arXiv 2404.00498, section 3.2).
    nn.init.dirac_(conv.weight.data[:in_channels])
    return conv


def whitening_weight(images: Tensor) -> Tensor:
    """Filters that whiten 2×2 patches, each with its negative: shape (24, 3, 2, 2).

    `images` has shape (N, 3, H, W), normalised. The filters are eigenvectors of
    the patches' covariance, scaled by the inverse root of their eigenvalues.
    """
    patches = images.unfold(2, 2, 1).unfold(3, 2, 1).movedim(1, 3).reshape(-1, 12).double()
    covariance = patches.T @ patches / len(patches)
    eigenvalues, eigenvectors = torch.linalg.eigh(covariance)
    filters = (eigenvectors / (eigenvalues + EPSILON).sqrt()).T.reshape(12, 3, 2, 2)
    return torch.cat([filters, -filters]).float()
