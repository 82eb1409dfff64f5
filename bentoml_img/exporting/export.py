"""Writes a module as the files that the engines load."""

import itertools
from collections.abc import Collection
from pathlib import Path

import openvino as ov
import torch
from safetensors.torch import save_file
from torchvision.models.detection import MaskRCNN
from torchvision.ops import MultiScaleRoIAlign

from bentoml_img.engines.rules import Pooling, Postprocessing, Rules

MIN_INSTANCE_SIZE = 1e-2  # pixels: written into torchvision's `postprocess_detections`


@torch.no_grad()
def round_to_half(module: torch.nn.Module) -> None:
    """Round weights to half precision, in place, to those of a graph in half precision.

    OpenVINO folds each batch norm into the filters of the convolution before it, and rounds
    the result. So the filters are scaled here first; the norms then only add their bias.
    """
    norms = []
    layers = [layer for layer in module.modules() if not list(layer.children())]
    for conv, norm in itertools.pairwise(layers):
        if isinstance(conv, torch.nn.Conv2d) and isinstance(norm, torch.nn.BatchNorm2d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
            conv.weight.mul_(scale[:, None, None, None])
            if conv.bias is not None:
                conv.bias.mul_(scale)
            norm.bias.sub_(norm.running_mean * scale)
            norm.running_mean.zero_()
            norm.weight.fill_(1)
            norms.append(norm)
    module.half().float()
    for norm in norms:
        assert norm.running_var is not None
        norm.running_var.fill_(1 - norm.eps)


def save_weights(module: torch.nn.Module, path: Path, *, half: bool) -> None:
    """Write the module's state as safetensors; with `half`, floats in half precision.

    Vectors stay in single precision: they are small, and batch-norm statistics need it.
    """
    state = {
        name: (value.half() if half and value.is_floating_point() and value.ndim > 1 else value)
        for name, value in module.state_dict().items()
    }
    save_file({name: value.contiguous() for name, value in state.items()}, path)


def save_graph(
    module: torch.nn.Module,
    example: torch.Tensor,
    path: Path,
    *,
    dynamic: Collection[int],
    half: bool,
) -> None:
    """Write the module as an OpenVINO graph, its weights in half or in single precision.

    The graph takes tensors like `example`, of any size in the dimensions `dynamic`; in
    `example`, their sizes are above 1.
    """
    sizes = dict.fromkeys(dynamic, torch.export.Dim.DYNAMIC)
    with torch.no_grad():
        program = torch.export.export(module.eval(), (example,), dynamic_shapes=(sizes,))
    graph = ov.convert_model(program)
    graph.reshape([-1 if axis in dynamic else n for axis, n in enumerate(example.shape)])
    ov.save_model(graph, path, compress_to_fp16=half)


def rules_of(model: MaskRCNN) -> Rules:
    """The parameters of what torchvision computes between the networks."""
    rpn, heads = model.rpn.eval(), model.roi_heads
    return Rules(
        cell_anchors=tuple(
            tuple((x1, y1, x2, y2) for x1, y1, x2, y2 in level.tolist())
            for level in rpn.anchor_generator.cell_anchors
        ),
        pre_nms_top_n=rpn.pre_nms_top_n(),
        proposals=Postprocessing(
            delta_weights=rpn.box_coder.weights,
            max_log_growth=rpn.box_coder.bbox_xform_clip,
            min_score=rpn.score_thresh,
            min_size=rpn.min_size,
            iou_threshold=rpn.nms_thresh,
            post_nms_top_n=rpn.post_nms_top_n(),
        ),
        instances=Postprocessing(
            delta_weights=heads.box_coder.weights,
            max_log_growth=heads.box_coder.bbox_xform_clip,
            min_score=heads.score_thresh,
            min_size=MIN_INSTANCE_SIZE,
            iou_threshold=heads.nms_thresh,
            post_nms_top_n=heads.detections_per_img,
        ),
        box_pooling=_pooling(heads.box_roi_pool),
        mask_pooling=_pooling(heads.mask_roi_pool),
    )


def _pooling(pool: MultiScaleRoIAlign) -> Pooling:
    return Pooling(
        levels=len(pool.featmap_names),
        samples=pool.sampling_ratio,
        canonical_side=pool.canonical_scale,
        canonical_level=pool.canonical_level,
    )
