"""Writes the bundle of a segmenter or detector, with graphs for every engine."""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torchvision.models.detection import MaskRCNN

from bentoml_img.arrays import Float32Array
from bentoml_img.bundle import (
    DETECTION_GRAPHS,
    GRAPH,
    WEIGHTS,
    Bundle,
    BundleError,
    Manifest,
)
from bentoml_img.engines import load_engine
from bentoml_img.engines.openvino_maskrcnn import openvino_detector
from bentoml_img.engines.rules import write_rules
from bentoml_img.engines.torch_maskrcnn import torch_detector
from bentoml_img.exporting.export import round_to_half, rules_of, save_graph, save_weights
from bentoml_img.exporting.parity import parity
from bentoml_img.models.maskrcnn import BoxBranch, MaskBranch, Trunk
from bentoml_img.postprocessing.probabilities import sigmoid
from bentoml_img.system.atomic import replacing_folder

# Small, so that exporting is quick; the graph takes any height and width.
EXAMPLE_SIZE = (128, 160)
CHECKED_SIZES = ((128, 160), (96, 240))
MIN_AGREEMENT = 0.99  # of labels: a wrong graph has far less, and rounding changes few


def assemble(module: nn.Module, manifest: Manifest, folder: Path, *, half: bool) -> Manifest:
    """Write the bundle `folder`, its weights in half or in single precision.

    The differences between the engines' answers are added to its scores. BundleError if too
    few labels are equal.
    """
    save_graphs, compare_engines = (
        (_save_detector, _compare_detectors)
        if manifest.task == "detection"
        else (_save_segmenter, _compare_segmenters)
    )
    if half:
        round_to_half(module)
    with replacing_folder(folder) as part:
        save_weights(module, part / WEIGHTS, half=half)
        save_graphs(module, part, half)
        bundle = Bundle.write(part, manifest, [path.name for path in part.iterdir()])
        complete = bundle.add_scores(compare_engines(bundle)).manifest
        check_agreement(complete)
    return complete


def check_agreement(manifest: Manifest) -> None:
    """BundleError if a bundle's engines agree on less than MIN_AGREEMENT of the labels."""
    differ = 1 - manifest.scores["export_label_agreement"]
    if differ > 1 - MIN_AGREEMENT:
        raise BundleError(f"the engines disagree on {differ:.1%} of the labels")


def _save_segmenter(module: nn.Module, folder: Path, half: bool) -> None:
    example = torch.zeros(1, 3, *EXAMPLE_SIZE)
    save_graph(module, example, folder / GRAPH, dynamic={2, 3}, half=half)


def _save_detector(module: nn.Module, folder: Path, half: bool) -> None:
    """The three networks of a Mask R-CNN, and the rules between them."""
    assert isinstance(module, MaskRCNN)
    heads, channels = module.roi_heads, module.backbone.out_channels
    boxes, masks = (
        torch.zeros(2, channels, *pool.output_size)
        for pool in (heads.box_roi_pool, heads.mask_roi_pool)
    )
    images = torch.zeros(1, 3, *EXAMPLE_SIZE)
    trunk, box_graph, mask_graph = (folder / name for name in DETECTION_GRAPHS)
    save_graph(Trunk(module), images, trunk, dynamic={2, 3}, half=half)
    save_graph(BoxBranch(module), boxes, box_graph, dynamic={0}, half=half)
    save_graph(MaskBranch(module), masks, mask_graph, dynamic={0}, half=half)
    write_rules(folder, rules_of(module))


def _compare_segmenters(bundle: Bundle) -> dict[str, float]:
    """The differences between the engines' scores on random images."""
    random = np.random.default_rng(0)
    inputs = [random.normal(size=(1, 3, *size)).astype(np.float32) for size in CHECKED_SIZES]

    def scores(engine: str) -> Float32Array:
        """Of shape (places, classes)."""
        answers = map(load_engine(bundle, engine), inputs)
        return np.concatenate([answer.reshape(answer.shape[1], -1).T for answer in answers])

    return parity(scores("torch"), scores("openvino"))


def _compare_detectors(bundle: Bundle) -> dict[str, float]:
    """The differences between the engines on random boxes in random images.

    Labels are the classes of boxes. The largest difference is over the probabilities of
    classes, of pixels in masks, and of objects at anchors.
    """
    random = np.random.default_rng(0)
    engines = torch_detector(bundle, None), openvino_detector(bundle, "fp32", None)
    answers = []
    for height, width in CHECKED_SIZES:
        image = random.normal(size=(1, 3, height, width)).astype(np.float32)
        corners = np.sort(random.uniform(0, 1, (50, 2, 2)), axis=1)
        boxes = (corners * (width, height)).reshape(-1, 4).astype(np.float32)
        answers.append([engine.logits(image, boxes) for engine in engines])
    reference, graph = (
        np.concatenate([logits.classes for logits in each]) for each in zip(*answers, strict=True)
    )
    scores = parity(reference, graph)
    differences = [
        float(np.abs(sigmoid(one) - sigmoid(other)).max())
        for ours, theirs in answers
        for one, other in ((ours.objectness, theirs.objectness), (ours.masks, theirs.masks))
    ]
    scores["export_max_difference"] = max(scores["export_max_difference"], *differences)
    return scores
