"""Segmenters with random weights whose masks have many classes all the same."""

from dataclasses import replace

import torch
from torch import nn

from bentoml_img import zoo
from bentoml_img.bundle import Manifest
from bentoml_img.models.efficientnet_lite import ConvNorm


def lively_module(name: str) -> nn.Module:
    """A model of the zoo, its normalisation fitted to noise, so that its signals do not fade."""
    torch.manual_seed(0)
    module = zoo.build(name)
    fits = {nn.BatchNorm2d: _fit, ConvNorm: _fit_folded}
    hooks = [
        layer.register_forward_pre_hook(fits[type(layer)])
        for layer in module.modules()
        if type(layer) in fits
    ]
    with torch.no_grad():
        module.eval()(torch.randn(4, 3, 96, 96))
        for hook in hooks:
            hook.remove()
        scores = module(torch.randn(1, 3, 96, 96))
        last = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)][-1]
        assert last.bias is not None
        last.bias -= scores.mean(dim=(0, 2, 3))
    return module


def _fit(norm: nn.Module, inputs: tuple[torch.Tensor]) -> None:
    """Let a normalisation have the statistics of what it is about to get."""
    assert isinstance(norm, nn.BatchNorm2d)
    variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3), correction=0)
    norm.running_mean, norm.running_var = mean, variance + 1e-3


def _fit_folded(layer: nn.Module, inputs: tuple[torch.Tensor]) -> None:
    """As `_fit`, for a normalisation that is folded into a convolution."""
    assert isinstance(layer, ConvNorm)
    activation, layer.activation = layer.activation, False
    _fit(layer.norm, (layer.forward(inputs[0]),))
    layer.activation = activation


def manifest_of(name: str, side: int | None = None) -> Manifest:
    """What goes into the bundle of a model with random weights; `side` replaces the short side."""
    manifest = zoo.find(name).manifest(license="Apache-2.0", trained_on="nothing")
    return replace(manifest, input_size=(side,)) if side else manifest
