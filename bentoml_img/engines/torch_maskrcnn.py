"""Mask R-CNN in PyTorch: the reference engine, and the one on a GPU."""

import torch
from torch import Tensor
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import maskrcnn_inference

from bentoml_img.arrays import Float32Array
from bentoml_img.bundle import Bundle
from bentoml_img.engines.interface import Logits, RawDetections
from bentoml_img.engines.torch import open_module
from bentoml_img.models.maskrcnn import (
    BoxBranch,
    MaskBranch,
    Trunk,
    flatten,
    levels_of,
    propose,
)


class TorchMaskRcnn:
    """Takes normalised images, returns boxes in their pixels and masks on the network's grid.

    The module is on that device, and in evaluation mode.
    """

    def __init__(self, model: MaskRCNN, device: torch.device | str = "cpu") -> None:
        self.device = device
        self._rpn, self._heads = model.rpn.eval(), model.roi_heads.eval()
        self._trunk, self._boxes, self._masks = Trunk(model), BoxBranch(model), MaskBranch(model)

    @torch.inference_mode()
    def __call__(
        self, image: Float32Array, shape: tuple[int, int], score_threshold: float
    ) -> RawDetections:
        images = ImageList(torch.from_numpy(image).to(self.device), [shape])
        features, objectness, deltas = levels_of(self._trunk(images.tensors))
        flat = flatten(objectness, deltas)
        anchors = self._rpn.anchor_generator(images, list(features.values()))
        proposals = propose(self._rpn, anchors, *flat, [shape])
        # From the size with padding, torchvision reads off the maps' strides.
        padded = [(image.shape[2], image.shape[3])]
        pooled = self._heads.box_roi_pool(features, proposals, padded)
        boxes, scores, labels = self._classify(pooled, proposals, shape)
        sure = scores >= score_threshold
        boxes, scores, labels = boxes[sure], scores[sure], labels[sure]
        masks = self._mask(self._heads.mask_roi_pool(features, [boxes], padded), labels)
        return RawDetections(
            boxes.cpu().numpy(), labels.cpu().numpy(), scores.cpu().numpy(), masks.cpu().numpy()
        )

    @torch.inference_mode()
    def logits(self, image: Float32Array, boxes: Float32Array) -> Logits:
        """What the three networks say of a normalised image (1, 3, H, W) and boxes (N, 4) in it.

        For comparing engines.
        """
        features, objectness, _ = levels_of(self._trunk(torch.tensor(image, device=self.device)))
        flat = torch.cat([level.flatten() for level in objectness])
        shape = image.shape[2], image.shape[3]
        given = [torch.tensor(boxes, device=self.device)]
        classes, _ = self._boxes(self._heads.box_roi_pool(features, given, [shape]))
        (masks,) = self._masks(self._heads.mask_roi_pool(features, given, [shape]))
        return Logits(*(output.cpu().numpy().copy() for output in (flat, classes, masks)))

    def _classify(
        self, pooled: Tensor, proposals: list[Tensor], shape: tuple[int, int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        if not len(pooled):
            nothing = pooled.new_zeros(0)
            return nothing.view(0, 4), nothing, nothing.long()
        logits, deltas = self._boxes(pooled)
        (boxes,), (scores,), (labels,) = self._heads.postprocess_detections(
            logits, deltas, proposals, [shape]
        )
        return boxes, scores, labels

    def _mask(self, pooled: Tensor, labels: Tensor) -> Tensor:
        if not len(pooled):
            return pooled.new_zeros(0, 1, 1)
        (logits,) = self._masks(pooled)
        masks: Tensor = maskrcnn_inference(logits, [labels])[0]
        return masks[:, 0]


def torch_detector(bundle: Bundle, threads: int | None) -> TorchMaskRcnn:
    """A bundle's weights in PyTorch."""
    model, device = open_module(bundle, threads)
    assert isinstance(model, MaskRCNN)
    return TorchMaskRcnn(model, device)
