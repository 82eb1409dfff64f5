"""A network's module into the files that the engines load."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import openvino as ov
import torch
from safetensors.torch import save_file
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection._utils import BoxCoder
from torchvision.ops import MultiScaleRoIAlign

from bentoml_img.engines import Array
from bentoml_img.engines.rules import Choice, Pooling, Rules
from bentoml_img.probabilities import softmax

MIN_INSTANCE_SIDE = 1e-2  # pixels: written into torchvision's `postprocess_detections`


def save_weights(module: torch.nn.Module, path: Path, *, half: bool) -> None:
    """The module's state as safetensors, floats in half or in single precision."""
    dtype = torch.float16 if half else torch.float32
    state = {
        name: (value.to(dtype) if value.is_floating_point() else value).contiguous()
        for name, value in module.state_dict().items()
    }
    save_file(state, path)


def save_graph(
    module: torch.nn.Module,
    example: torch.Tensor,
    path: Path,
    *,
    dynamic: Collection[int],
    half: bool,
) -> None:
    """The module as an OpenVINO graph, weights in half or in single precision.

    It takes what the module takes: tensors like `example`, but of any size in
    the dimensions that are `dynamic`, each of which is above 1 in `example`.
    """
    sizes = dict.fromkeys(dynamic, torch.export.Dim.DYNAMIC)
    with torch.no_grad():
        program = torch.export.export(module.eval(), (example,), dynamic_shapes=(sizes,))
    graph = ov.convert_model(program)
    graph.reshape([-1 if axis in dynamic else n for axis, n in enumerate(example.shape)])
    ov.save_model(graph, path, compress_to_fp16=half)


def parity(expected: Array, logits: Array, of: str = "export") -> dict[str, float]:
    """How far two networks' answers (N, classes) are apart: labels, and probabilities."""
    return {
        f"{of}_label_agreement": float((expected.argmax(1) == logits.argmax(1)).mean()),
        f"{of}_max_difference": float(np.abs(softmax(expected) - softmax(logits)).max()),
    }


def rules_of(model: MaskRCNN) -> Rules:
    """What torchvision does between the networks, for engines that do it themselves."""
    rpn, heads = model.rpn.eval(), model.roi_heads
    return Rules(
        cell_anchors=tuple(
            tuple((x1, y1, x2, y2) for x1, y1, x2, y2 in level.tolist())
            for level in rpn.anchor_generator.cell_anchors
        ),
        candidates=rpn.pre_nms_top_n(),
        proposals=Choice(
            *_coding(rpn.box_coder),
            min_score=rpn.score_thresh,
            min_side=rpn.min_size,
            max_overlap=rpn.nms_thresh,
            most=rpn.post_nms_top_n(),
        ),
        instances=Choice(
            *_coding(heads.box_coder),
            min_score=heads.score_thresh,
            min_side=MIN_INSTANCE_SIDE,
            max_overlap=heads.nms_thresh,
            most=heads.detections_per_img,
        ),
        box_pooling=_pooling(heads.box_roi_pool),
        mask_pooling=_pooling(heads.mask_roi_pool),
    )


def _coding(coder: BoxCoder) -> tuple[tuple[float, float, float, float], float]:
    return coder.weights, coder.bbox_xform_clip


def _pooling(pool: MultiScaleRoIAlign) -> Pooling:
    return Pooling(
        levels=len(pool.featmap_names),
        samples=pool.sampling_ratio,
        canonical_side=pool.canonical_scale,
        canonical_level=pool.canonical_level,
    )
