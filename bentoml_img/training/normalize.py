"""Normalises batches of photos in PyTorch, as `bentoml_img.images.Normalizer` does in NumPy."""

import torch
from torch import Tensor

from bentoml_img.transforms import Transform


def normalize(images: Tensor, transform: Transform) -> Tensor:
    """uint8 (N, H, W, 3) → float32 (N, 3, H, W) in channels_last: (x / 255 - mean) / std."""
    mean = torch.tensor(transform.mean, device=images.device)
    std = torch.tensor(transform.std, device=images.device)
    return ((images.float() / 255 - mean) / std).permute(0, 3, 1, 2)
