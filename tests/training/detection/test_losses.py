import copy

import pytest
import torch
from torchvision.models.detection import MaskRCNN
from torchvision.ops import box_iou

from bentoml_img.models.detectors import maskrcnn_lite
from bentoml_img.training.detection.losses import (
    Target,
    area,
    in_crowd,
    intersections,
    losses,
)

SIZE = 64, 96
BOXES = torch.tensor([[10.0, 10, 40, 40], [50, 20, 90, 60]])


@pytest.fixture(scope="module")
def model() -> MaskRCNN:
    torch.manual_seed(0)
    return maskrcnn_lite().train()


def target(boxes: torch.Tensor, crowds: torch.Tensor) -> Target:
    masks = torch.zeros(len(boxes), *SIZE, dtype=torch.uint8)
    for mask, (left, top, right, bottom) in zip(masks, boxes.int().tolist(), strict=True):
        mask[top:bottom, left:right] = 1
    return Target(boxes, torch.arange(1, len(boxes) + 1), masks, crowds)


def nothing() -> torch.Tensor:
    return torch.zeros(0, 4)


def test_losses_are_those_of_torchvision_where_there_is_no_crowd(model: MaskRCNN) -> None:
    model = copy.deepcopy(model)
    torch.manual_seed(0)
    images = torch.randn(2, 3, *SIZE)
    targets = [target(BOXES, nothing()), target(BOXES[:1] + 5, nothing())]
    torch.manual_seed(1)
    ours = losses(model, images, targets)
    model.transform._skip_resize = True
    model.transform.image_mean, model.transform.image_std = (0.0,) * 3, (1.0,) * 3
    as_theirs = [{"boxes": t.boxes, "labels": t.labels, "masks": t.masks} for t in targets]
    torch.manual_seed(1)
    theirs = model(list(images), as_theirs)
    # Which boxes are sampled is drawn in another order, so that they are not the same to the digit.
    for name, other in (
        ("objectness", "loss_objectness"),
        ("proposal", "loss_rpn_box_reg"),
        ("class", "loss_classifier"),
        ("box", "loss_box_reg"),
        ("mask", "loss_mask"),
    ):
        torch.testing.assert_close(ours[name], theirs[other], rtol=0.1, atol=2e-3)


def test_in_a_crowd_nothing_is_wrong(model: MaskRCNN) -> None:
    everywhere = torch.tensor([[-2000.0, -2000, 2000, 2000]])
    found = losses(model, torch.randn(1, 3, *SIZE), [target(nothing(), everywhere)])
    assert {name: loss.item() for name, loss in found.items()} == dict.fromkeys(found, 0)
    without = losses(model, torch.randn(1, 3, *SIZE), [target(nothing(), nothing())])
    assert without["objectness"] > 0.1
    assert without["class"] > 0.1


def test_true_instances_count_in_a_crowd_too(model: MaskRCNN) -> None:
    everywhere = torch.tensor([[-2000.0, -2000, 2000, 2000]])
    found = losses(model, torch.randn(1, 3, *SIZE), [target(BOXES, everywhere)])
    assert all(loss > 0 for loss in found.values())


def test_gradients_reach_all_that_learns(model: MaskRCNN) -> None:
    found = losses(model, torch.randn(1, 3, *SIZE), [target(BOXES, nothing())])
    torch.autograd.backward(torch.stack(list(found.values())).sum())
    assert all(p.grad is not None for p in model.parameters())


def test_a_box_is_of_a_crowd_when_most_of_it_is() -> None:
    crowds = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]])
    boxes = torch.tensor([[0.0, 0, 19, 10], [0, 0, 21, 10], [22, 22, 24, 24], [40, 40, 50, 50]])
    assert in_crowd(boxes, crowds).tolist() == [True, False, True, False]
    assert not in_crowd(boxes, nothing()).any()


def test_overlaps_are_those_of_torchvision() -> None:
    torch.manual_seed(0)
    some, boxes = (torch.rand(n, 2, 2).sort(dim=1).values.view(n, 4) for n in (20, 300))
    shared = intersections(some, boxes)
    ours = shared / (area(some)[:, None] + area(boxes) - shared)
    torch.testing.assert_close(ours, box_iou(some, boxes))
