"""Convolutions whose gradients are fast on a processor; their values are PyTorch's own."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from bentoml_img.training.autocast import fast_dtype
from bentoml_img.training.gradients.dense import dense_conv2d
from bentoml_img.training.gradients.depthwise import depthwise_conv2d


def fast_gradients(device: torch.device) -> AbstractContextManager[Any]:
    """A context in which convolutions that learn have such gradients, on a processor.

    Depthwise ones in any precision, dense ones in single precision only.
    """
    if device.type != "cpu":
        return nullcontext()
    return _FastGradients(dense=fast_dtype(device) == torch.float32)


class _FastGradients(TorchFunctionMode):
    def __init__(self, *, dense: bool) -> None:
        super().__init__()
        self._dense = dense

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if function is functional.conv2d and not kwargs and (fast := self._fast(*args)):
            return fast(*args[:6])
        return function(*args, **(kwargs or {}))

    def _fast(
        self, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
    ) -> Callable[..., Any] | None:
        """What computes such a convolution instead, if anything does."""
        if weight.shape[-1] == 1 or not weight.requires_grad:
            return None
        if groups == 1:
            return dense_conv2d if self._dense else None
        return depthwise_conv2d if groups == len(weight) == x.shape[1] else None
