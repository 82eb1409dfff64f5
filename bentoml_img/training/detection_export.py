"""What a detector's training leaves behind: a bundle."""

import copy
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.detection import MaskRCNN

from bentoml_img import zoo
from bentoml_img.assemble import assemble
from bentoml_img.models.maskrcnn import BoxBranch, MaskBranch, Trunk
from bentoml_img.training.detection_trainer import manifest

PROPOSALS, INSTANCES = 500, 100  # that a photo has at most


def export(network: MaskRCNN, trained_on: str, folder: Path) -> Path:
    """A bundle in half precision, in `folder`, named after the model."""
    module = copy.deepcopy(network).cpu().eval()
    made = manifest(trained_on, costs(module))
    assemble(module, made, folder / made.name, half=True)
    return folder / made.name


def costs(module: MaskRCNN) -> dict[str, float]:
    """Parameters, and 10⁹ multiply-adds for a photo of 4:3 that is full of instances."""
    heads, channels = module.roi_heads, module.backbone.out_channels
    transform = zoo.LITE_PYRAMID
    height = transform.input_size[0]
    width = height * 4 // 3
    width += -width % transform.stride
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        Trunk(module)(torch.zeros(1, 3, height, width))
        BoxBranch(module)(torch.zeros(PROPOSALS, channels, *heads.box_roi_pool.output_size))
        MaskBranch(module)(torch.zeros(INSTANCES, channels, *heads.mask_roi_pool.output_size))
    return {
        "parameters": sum(p.numel() for p in module.parameters()),
        "gflops": round(counter.get_total_flops() / 2e9, 2),
    }
