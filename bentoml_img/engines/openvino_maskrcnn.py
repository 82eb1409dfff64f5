"""Mask R-CNN on a processor: its three networks in OpenVINO, what lies between them in NumPy."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from bentoml_img.arrays import Float32Array, IntpArray
from bentoml_img.bundle import Bundle
from bentoml_img.engines.boxes import anchors, clip_and_filter, decode, top
from bentoml_img.engines.interface import Logits, RawDetections
from bentoml_img.engines.openvino import request
from bentoml_img.engines.roi_align import PooledGraph
from bentoml_img.engines.rules import Rules, read_rules
from bentoml_img.postprocessing.probabilities import sigmoid, softmax

Trunk = Callable[[Float32Array], Sequence[Float32Array]]
Head = Callable[[Sequence[Float32Array], Float32Array, int], Sequence[Float32Array]]


class NumpyMaskRcnn:
    """Takes normalised images, returns boxes in their pixels and masks on the network's grid.

    `trunk` computes what the class of that name in `bentoml_img.models.maskrcnn`
    does; `boxes` and `masks` do what the others do, but are given feature maps,
    boxes, and the height of the image that these are in. Not for several threads
    at once.
    """

    def __init__(self, rules: Rules, trunk: Trunk, boxes: Head, masks: Head) -> None:
        self._rules = rules
        self._trunk, self._boxes, self._masks = trunk, boxes, masks
        self._cell_anchors = [np.array(cell, np.float32) for cell in rules.cell_anchors]

    def __call__(
        self, image: Float32Array, shape: tuple[int, int], score_threshold: float
    ) -> RawDetections:
        padded_shape = image.shape[2], image.shape[3]
        maps, objectness, deltas = self._run_trunk(image)
        proposals = self._propose(objectness, deltas, shape, padded_shape)
        boxes, scores, labels = self._classify(
            maps, proposals, shape, padded_shape, score_threshold
        )
        masks = np.zeros((0, 1, 1), np.float32)
        if len(boxes):
            (logits,) = self._masks(maps, boxes, padded_shape[0])
            masks = sigmoid(logits[np.arange(len(labels)), labels])
        return RawDetections(boxes, labels.astype(np.int64), scores, masks)

    def logits(self, image: Float32Array, boxes: Float32Array) -> Logits:
        """What the three networks say of a normalised image (1, 3, H, W) and boxes (N, 4) in it.

        For comparing engines.
        """
        maps, objectness, _ = self._run_trunk(image)
        classes, _ = self._boxes(maps, boxes, image.shape[2])
        (masks,) = self._masks(maps, boxes, image.shape[2])
        return Logits(np.concatenate([level.ravel() for level in objectness]), classes, masks)

    def _run_trunk(
        self, image: Float32Array
    ) -> tuple[Sequence[Float32Array], Sequence[Float32Array], Sequence[Float32Array]]:
        """For each level its map (1, C, h, w), and its anchors' objectness and deltas.

        These have shapes (1, A, h, w) and (1, A · 4, h, w); objectness is in logits.
        """
        outputs = self._trunk(image)
        n = len(outputs) // 3
        return outputs[:n], outputs[n : 2 * n], outputs[2 * n :]

    def _propose(
        self,
        objectness: Sequence[Float32Array],
        deltas: Sequence[Float32Array],
        shape: tuple[int, int],
        padded_shape: tuple[int, int],
    ) -> Float32Array:
        """The boxes (N, 4) that may hold an object."""
        levels = zip(objectness, deltas, self._cell_anchors, strict=True)
        found = [self._decode_level(*level, padded_shape) for level in levels]
        boxes, logits = (np.concatenate(parts) for parts in zip(*found, strict=True))
        level = np.repeat(np.arange(len(found)), [len(scores) for _, scores in found])
        scores = sigmoid(logits)
        rule = self._rules.proposals
        likely = scores >= rule.min_score
        boxes, kept = clip_and_filter(boxes[likely], scores[likely], level[likely], shape, rule)
        return boxes[kept]

    def _decode_level(
        self,
        objectness: Float32Array,
        deltas: Float32Array,
        cell_anchors: Float32Array,
        padded_shape: tuple[int, int],
    ) -> tuple[Float32Array, Float32Array]:
        """One level's boxes of the highest objectness, not clipped, and their logits."""
        kinds, height, width = objectness.shape[1:]
        logits = objectness[0].transpose(1, 2, 0).ravel()
        index = top(logits, self._rules.pre_nms_top_n)
        cell, kind = np.divmod(index, kinds)
        stride = padded_shape[0] // height, padded_shape[1] // width
        boxes = decode(
            deltas.reshape(kinds, 4, height * width)[kind, :, cell],
            anchors(index, cell_anchors, width, stride),
            self._rules.proposals,
        )
        return boxes, logits[index]

    def _classify(
        self,
        maps: Sequence[Float32Array],
        proposals: Float32Array,
        shape: tuple[int, int],
        padded_shape: tuple[int, int],
        score_threshold: float,
    ) -> tuple[Float32Array, Float32Array, IntpArray]:
        """Boxes (N, 4), scores and labels (N,) of the instances, highest score first."""
        nothing = np.zeros(0, np.float32)
        if not len(proposals):
            return proposals, nothing, nothing.astype(np.intp)
        logits, deltas = self._boxes(maps, proposals, padded_shape[0])
        probabilities = softmax(logits)
        rule = self._rules.instances
        # What scores less than wanted has no say in the rest.
        wanted = (probabilities > rule.min_score) & (probabilities >= score_threshold)
        wanted[:, 0] = False  # the background
        row, labels = np.nonzero(wanted)
        scores = probabilities[row, labels]
        moved = decode(deltas.reshape(len(deltas), -1, 4)[row, labels], proposals[row], rule)
        boxes, kept = clip_and_filter(moved, scores, labels, shape, rule)
        return boxes[kept], scores[kept], labels[kept]


def openvino_detector(bundle: Bundle, precision: str, threads: int | None) -> NumpyMaskRcnn:
    """A bundle's graphs in OpenVINO; `threads` is how many it computes with at most."""
    rules = read_rules(bundle.folder)
    trunk, boxes, masks = (bundle.folder / name for name in bundle.manifest.graphs(precision))
    return NumpyMaskRcnn(
        rules,
        _TrunkGraph(trunk, precision, threads),
        PooledGraph(boxes, rules.box_pooling, precision, threads),
        PooledGraph(masks, rules.mask_pooling, precision, threads),
    )


class _TrunkGraph:
    """A graph's outputs, not copied: the next image overwrites them."""

    def __init__(self, path: Path, precision: str, threads: int | None) -> None:
        self._request = request(path, precision, threads)

    def __call__(self, image: Float32Array) -> list[Float32Array]:
        outputs = self._request.infer([image], share_inputs=True, share_outputs=True)
        return [outputs[i] for i in range(len(outputs))]
