"""torchvision's Mask R-CNN in parts: three networks, and what lies between them.

The networks are where the time goes, and where an engine can replace PyTorch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.rpn import RegionProposalNetwork, concat_box_prediction_layers


class Trunk(nn.Module):
    """Normalised images (N, 3, H, W) to what the rest works with.

    Returns the feature maps of each level, then for each level the anchors'
    objectness (logits), then their deltas.
    """

    def __init__(self, model: MaskRCNN) -> None:
        super().__init__()
        self.backbone = model.backbone
        self.head = model.rpn.head

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        features = list(self.backbone(images).values())
        objectness, deltas = self.head(features)
        return (*features, *objectness, *deltas)


class BoxBranch(nn.Module):
    """Features of boxes (N, C, 7, 7) to class logits (N, classes) and deltas (N, classes · 4)."""

    def __init__(self, model: MaskRCNN) -> None:
        super().__init__()
        self.head = model.roi_heads.box_head
        self.predictor = model.roi_heads.box_predictor

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        logits, deltas = self.predictor(self.head(features))
        return logits, deltas


class MaskBranch(nn.Module):
    """Features of boxes (N, C, 14, 14) to logits of masks (N, classes, 28, 28)."""

    def __init__(self, model: MaskRCNN) -> None:
        super().__init__()
        self.head = model.roi_heads.mask_head
        self.predictor = model.roi_heads.mask_predictor

    def forward(self, features: Tensor) -> tuple[Tensor]:
        return (self.predictor(self.head(features)),)


def levels_of(outputs: Sequence[Tensor]) -> tuple[dict[str, Tensor], list[Tensor], list[Tensor]]:
    """A Trunk's outputs by kind: named feature maps, objectness, deltas."""
    n = len(outputs) // 3
    features = {str(i): level for i, level in enumerate(outputs[:n])}
    return features, list(outputs[n : 2 * n]), list(outputs[2 * n :])


def propose(
    rpn: RegionProposalNetwork,
    anchors: Sequence[Tensor],
    objectness: Tensor,
    deltas: Tensor,
    anchors_per_level: Sequence[int],
    image_sizes: list[tuple[int, int]],
) -> list[Tensor]:
    """For each image the boxes (n, 4) that may hold an object.

    What torchvision's own network does, but only the anchors of the highest
    objectness are decoded. `anchors` has for each image a tensor of (A, 4);
    `objectness` has shape (N, A), `deltas` (N, A, 4).
    """
    chosen, counts, start = [], [], 0
    for count in anchors_per_level:
        k = min(rpn.pre_nms_top_n(), count)
        chosen.append(objectness[:, start : start + count].topk(k, dim=1).indices + start)
        counts.append(k)
        start += count
    index = torch.cat(chosen, dim=1)
    boxes = rpn.box_coder.decode(
        torch.cat([row[i] for row, i in zip(deltas, index, strict=True)]),
        [boxes[i] for boxes, i in zip(anchors, index, strict=True)],
    )
    proposals: list[Tensor]
    proposals, _ = rpn.filter_proposals(
        boxes.view(*index.shape, 4), objectness.gather(1, index), image_sizes, counts
    )
    return proposals


def flatten(objectness: list[Tensor], deltas: list[Tensor]) -> tuple[Tensor, Tensor, list[int]]:
    """All levels' objectness (N, A) and deltas (N, A, 4), and how many anchors each level has."""
    images = len(objectness[0])
    counts = [level[0].numel() for level in objectness]
    all_objectness, all_deltas = concat_box_prediction_layers(objectness, deltas)
    return all_objectness.view(images, -1), all_deltas.view(images, -1, 4), counts
