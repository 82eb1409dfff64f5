"""The losses of Mask R-CNN: torchvision's, without crowds.

The instances in a crowd are not annotated one by one, so a proposal there is neither right nor
wrong. COCO's evaluation ignores it, and so does each loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection._utils import Matcher
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads, fastrcnn_loss, maskrcnn_loss
from torchvision.models.detection.rpn import RegionProposalNetwork

from bentoml_img.models.maskrcnn import BoxBranch, MaskBranch, Trunk, flatten, levels_of, propose
from bentoml_img.training.detection.roi_align import roi_align

IN_CROWD = 0.5  # share of a box's area in a crowd, above which the box is ignored
MASKED = 32  # boxes per image in the mask loss: with all of them it took a fifth of a step
SMOOTH = 1 / 9  # torchvision's beta of the smooth L1 loss of proposals


@dataclass(frozen=True, eq=False)
class Target:
    """A picture's truth: boxes (N, 4), labels (N,), masks (N, H, W) of uint8, crowds (M, 4)."""

    boxes: Tensor
    labels: Tensor
    masks: Tensor
    crowds: Tensor

    def to(self, device: torch.device) -> "Target":
        return Target(
            self.boxes.to(device),
            self.labels.to(device),
            self.masks.to(device),
            self.crowds.to(device),
        )


def losses(model: MaskRCNN, images: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
    """The five losses of a batch of normalised images (N, 3, H, W), averaged over it.

    The networks run under the current autocast, everything between them in single precision.
    """
    outputs = [output.float() for output in Trunk(model)(images)]
    features, objectness, deltas = levels_of(outputs)
    all_objectness, all_deltas, counts = flatten(objectness, deltas)
    size = images.shape[2], images.shape[3]
    sizes = [size] * len(images)
    anchors = model.rpn.anchor_generator(ImageList(images, sizes), outputs[: len(counts)])
    proposals = propose(
        model.rpn, anchors, all_objectness.detach(), all_deltas.detach(), counts, sizes
    )
    found = _proposal_losses(model.rpn, anchors[0], all_objectness, all_deltas, targets)

    heads = model.roi_heads
    boxes, matched, labels = _sample(heads, proposals, targets)
    truth = [
        target.boxes[m] if len(target.boxes) else row
        for target, m, row in zip(targets, matched, boxes, strict=True)
    ]
    logits, regression = BoxBranch(model)(roi_align(heads.box_roi_pool, features, boxes, sizes))
    if len(logits):
        found["class"], found["box"] = fastrcnn_loss(
            logits.float(), regression.float(), labels, heads.box_coder.encode(truth, boxes)
        )
    else:  # torchvision's mean over no boxes would be nan
        found["class"], found["box"] = logits.sum(), regression.sum()
    positive = [_some((label > 0).nonzero()[:, 0], MASKED) for label in labels]
    boxes = [row[p] for row, p in zip(boxes, positive, strict=True)]
    (masks,) = MaskBranch(model)(roi_align(heads.mask_roi_pool, features, boxes, sizes))
    found["mask"] = maskrcnn_loss(
        masks.float(),
        boxes,
        [target.masks for target in targets],
        [target.labels for target in targets],
        [m[p] for m, p in zip(matched, positive, strict=True)],
    )
    return found


def _proposal_losses(
    rpn: RegionProposalNetwork,
    anchors: Tensor,
    objectness: Tensor,
    deltas: Tensor,
    targets: Sequence[Target],
) -> dict[str, Tensor]:
    """The losses of the sampled anchors; the anchors (A, 4) are the same for all images."""
    logits, truth, distances = [], [], []
    for target, row, row_deltas in zip(targets, objectness, deltas, strict=True):
        match = _match(rpn.proposal_matcher, target.boxes, anchors)
        labels = (match >= 0).float()
        labels[match == rpn.proposal_matcher.BETWEEN_THRESHOLDS] = -1
        labels[(labels == 0) & in_crowd(anchors, target.crowds)] = -1
        (positive,), (negative,) = rpn.fg_bg_sampler([labels])
        sampled = (positive | negative).bool()
        logits.append(row[sampled])
        truth.append(labels[sampled])
        if len(hits := positive.nonzero()[:, 0]):
            sides = rpn.box_coder.encode_single(target.boxes[match[hits]], anchors[hits])
            distances.append(
                functional.smooth_l1_loss(row_deltas[hits], sides, beta=SMOOTH, reduction="sum")
            )
    flat = torch.cat(logits)
    entropy = functional.binary_cross_entropy_with_logits(flat, torch.cat(truth), reduction="sum")
    distance = torch.stack(distances).sum() if distances else deltas.sum() * 0
    count = max(1, len(flat))
    return {"objectness": entropy / count, "proposal": distance / count}


def _sample(
    heads: RoIHeads, proposals: Sequence[Tensor], targets: Sequence[Target]
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """For each image boxes to learn from, which true instance each matches, and its label."""
    boxes, matched, labels = [], [], []
    for proposed, target in zip(proposals, targets, strict=True):
        candidates = torch.cat([proposed, target.boxes])
        match = _match(heads.proposal_matcher, target.boxes, candidates)
        label = torch.zeros(len(candidates), dtype=torch.int64, device=candidates.device)
        label[match >= 0] = target.labels[match[match >= 0]]
        label[match == heads.proposal_matcher.BETWEEN_THRESHOLDS] = -1
        label[(label == 0) & in_crowd(candidates, target.crowds)] = -1
        (positive,), (negative,) = heads.fg_bg_sampler([label])
        sampled = (positive | negative).nonzero()[:, 0]
        boxes.append(candidates[sampled])
        matched.append(match[sampled].clamp(min=0))
        labels.append(label[sampled])
    return boxes, matched, labels


def _some(places: Tensor, n: int) -> Tensor:
    """At most n of the places (N,), at random."""
    return places[torch.randperm(len(places), device=places.device)[:n]]


def _match(matcher: Matcher, truth: Tensor, boxes: Tensor) -> Tensor:
    """The index of the true box that each box matches, or a negative number."""
    if not len(truth):
        return torch.full((len(boxes),), matcher.BELOW_LOW_THRESHOLD, device=boxes.device)
    shared = intersections(truth, boxes)
    union = area(truth)[:, None] + area(boxes) - shared
    match: Tensor = matcher(shared.div_(union))
    return match


def in_crowd(boxes: Tensor, crowds: Tensor) -> Tensor:
    """Whether more than IN_CROWD of each box (N, 4) is in one of the crowds (M, 4)."""
    if not len(crowds):
        return torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    return intersections(crowds, boxes).amax(dim=0) > IN_CROWD * area(boxes)


def intersections(some: Tensor, boxes: Tensor) -> Tensor:
    """The areas that M boxes share with N: (M, N).

    One axis at a time, for many anchors, takes a fraction of the time of torchvision's code,
    which computes both at once.
    """
    sides = []
    for axis in (0, 1):
        low = torch.maximum(some[:, axis, None], boxes[:, axis].contiguous())
        high = torch.minimum(some[:, axis + 2, None], boxes[:, axis + 2].contiguous())
        sides.append(high.sub_(low).clamp_(min=0))
    return sides[0].mul_(sides[1])


def area(boxes: Tensor) -> Tensor:
    """The areas of boxes (N, 4)."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
