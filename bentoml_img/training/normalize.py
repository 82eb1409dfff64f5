"""Photos as networks take them, as `bentoml_img.images.Normalizer` has it without torch."""

import torch
from torch import Tensor

from bentoml_img.transforms import Transform


def normalize(images: Tensor, transform: Transform) -> Tensor:
    """uint8 (N, H, W, 3) → float (N, 3, H, W) in channels_last, less the mean, over the spread."""
    mean = torch.tensor(transform.mean, device=images.device)
    std = torch.tensor(transform.std, device=images.device)
    return ((images.float() / 255 - mean) / std).permute(0, 3, 1, 2)
