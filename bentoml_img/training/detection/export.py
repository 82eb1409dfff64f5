"""Exports a trained detector as a bundle."""

import copy
from functools import partial
from pathlib import Path

import torch
from torchvision.models.detection import MaskRCNN

from bentoml_img import zoo
from bentoml_img.exporting.assemble import assemble
from bentoml_img.exporting.export import rules_of
from bentoml_img.models.maskrcnn import BoxBranch, MaskBranch, Trunk
from bentoml_img.training.costs import costs
from bentoml_img.transforms import LITE_PYRAMID


def export(network: MaskRCNN, trained_on: str, folder: Path) -> Path:
    """Write a bundle in half precision into `folder`; returns its path, named after the model."""
    module = copy.deepcopy(network).cpu().eval()
    full = partial(_full_photo, module)
    made = zoo.find("maskrcnn_lite").manifest(
        license="unknown", trained_on=trained_on, scores=costs(module, full)
    )
    assemble(module, made, folder / made.name, half=True)
    return folder / made.name


def _full_photo(module: MaskRCNN) -> None:
    """Run each network on a 4:3 photo with the most proposals and instances."""
    heads, channels, rules = module.roi_heads, module.backbone.out_channels, rules_of(module)
    boxes, masks = (
        torch.zeros(rule.post_nms_top_n, channels, *pool.output_size)
        for rule, pool in (
            (rules.proposals, heads.box_roi_pool),
            (rules.instances, heads.mask_roi_pool),
        )
    )
    height = LITE_PYRAMID.input_size[0]
    width = height * 4 // 3
    width += -width % LITE_PYRAMID.stride
    Trunk(module)(torch.zeros(1, 3, height, width))
    BoxBranch(module)(boxes)
    MaskBranch(module)(masks)
