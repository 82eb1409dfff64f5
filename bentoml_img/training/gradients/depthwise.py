"""Depthwise convolution whose gradients are fast on a processor.

oneDNN has fast kernels for the weight gradient of 3×3 filters without dilation
or stride, and for the forward direction of any; the rest falls back to loops
that take 20 to 80 times as long. So the gradients are put together from these.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

TILE = 3


def depthwise_conv2d(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int, dilation: int
) -> Tensor:
    """What `conv2d` gives with as many groups as channels, under autocast, too."""
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
        x, weight, bias = x.to(dtype), weight.to(dtype), bias if bias is None else bias.to(dtype)
    y: Tensor = _DepthwiseConv2d.apply(x, weight, bias, stride, padding, dilation)
    return y


class _DepthwiseConv2d(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: int,
        padding: int,
        dilation: int,
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = stride, padding, dilation
        return functional.conv2d(x, weight, bias, stride, padding, dilation, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, padding, dilation = ctx.geometry
        (gradient,) = gradients
        bias_gradient = gradient.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        reach = dilation * (weight.shape[-1] - 1)
        if stride > 1:  # the same as a stride of 1 whose other outputs do not matter
            height, width = (side + 2 * padding - reach for side in x.shape[2:])
            spread = gradient.new_zeros((*x.shape[:2], height, width)).contiguous(
                memory_format=torch.channels_last
            )
            spread[:, :, ::stride, ::stride] = gradient
            gradient = spread
        x_gradient = None
        if ctx.needs_input_grad[0]:
            x_gradient = functional.conv2d(
                gradient, weight.flip(2, 3), None, 1, reach - padding, dilation, len(weight)
            )
        padded = functional.pad(x, (padding,) * 4)
        weight_gradient = sum(
            weight_gradient_3x3(
                padded[:, :, row::dilation, column::dilation],
                gradient[:, :, row::dilation, column::dilation],
                weight.shape[-1],
            )
            for row in range(dilation)
            for column in range(dilation)
        )
        assert isinstance(weight_gradient, Tensor)
        return x_gradient, weight_gradient, bias_gradient, None, None, None


def weight_gradient_3x3(x: Tensor, gradient: Tensor, kernel: int) -> Tensor:
    """The weight gradient (C, 1, kernel, kernel), 3×3 entries at a time.

    `x` has shape (N, C, H + kernel - 1, W + kernel - 1), `gradient` (N, C, H, W).
    """
    channels, (height, width) = x.shape[1], gradient.shape[2:]
    more = -kernel % TILE
    x = functional.pad(x, (0, more) * 2) if more else x
    side = kernel + more
    result = x.new_empty((channels, 1, side, side))
    shape = x.new_empty((channels, 1, TILE, TILE))
    for i in range(0, side, TILE):
        for j in range(0, side, TILE):
            _, tile, _ = torch.ops.aten.convolution_backward(
                gradient,
                x[:, :, i : i + height + TILE - 1, j : j + width + TILE - 1],
                shape,
                None,
                (1, 1),
                (0, 0),
                (1, 1),
                False,
                (0, 0),
                channels,
                (False, True, False),
            )
            result[:, :, i : i + TILE, j : j + TILE] = tile
    return result[:, :, :kernel, :kernel]
