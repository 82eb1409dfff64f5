"""What a detector's training leaves behind: a bundle."""

import copy
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.detection import MaskRCNN

from bentoml_img import zoo
from bentoml_img.assemble import assemble
from bentoml_img.engines.export import rules_of
from bentoml_img.models.maskrcnn import BoxBranch, MaskBranch, Trunk


def export(network: MaskRCNN, trained_on: str, folder: Path) -> Path:
    """A bundle in half precision, in `folder`, named after the model."""
    module = copy.deepcopy(network).cpu().eval()
    made = zoo.find("maskrcnn_lite").manifest(
        license="Apache-2.0", trained_on=trained_on, scores=costs(module)
    )
    assemble(module, made, folder / made.name, half=True)
    return folder / made.name


def costs(module: MaskRCNN) -> dict[str, float]:
    """Parameters, and 10⁹ multiply-adds for a photo of 4:3 that is full of instances."""
    heads, channels, rules = module.roi_heads, module.backbone.out_channels, rules_of(module)
    boxes, masks = (
        torch.zeros(choice.most, channels, *pool.output_size)
        for choice, pool in (
            (rules.proposals, heads.box_roi_pool),
            (rules.instances, heads.mask_roi_pool),
        )
    )
    height = zoo.LITE_PYRAMID.input_size[0]
    width = height * 4 // 3
    width += -width % zoo.LITE_PYRAMID.stride
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        Trunk(module)(torch.zeros(1, 3, height, width))
        BoxBranch(module)(boxes)
        MaskBranch(module)(masks)
    return {
        "parameters": sum(p.numel() for p in module.parameters()),
        "gflops": round(counter.get_total_flops() / 2e9, 2),
    }
