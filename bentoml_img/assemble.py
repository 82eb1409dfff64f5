"""From a segmenter's or detector's weights to a bundle with graphs for every engine."""

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bentoml_img import zoo
from bentoml_img.atomic import folder_beside
from bentoml_img.bundle import (
    DETECTION_GRAPHS,
    GRAPH,
    WEIGHTS,
    BundleError,
    Manifest,
    sha256,
    verify,
    write_manifest,
)
from bentoml_img.engines import load_engine
from bentoml_img.weights import (
    OnProgress,
    WeightsError,
    digest_in_name,
    fetch,
    load_state,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

# Small, so that exporting is quick; the graph takes any height and width.
EXAMPLE_SIZE = (128, 160)
CHECKED_SIZES = ((128, 160), (96, 240))
MIN_AGREEMENT = 0.99  # a wrong graph agrees on far less; classes may be equally likely somewhere


def official_bundle(
    name: str,
    folder: Path,
    weights: Path | None = None,
    url: str | None = None,
    on_progress: OnProgress = lambda done, total: None,
) -> Path:
    """The bundle `folder` of a model that torchvision publishes; made if it is not there yet.

    The weights come from the file `weights`, or else they are fetched: see
    `bentoml_img.weights.fetch`. WeightsError if they cannot be had or do not
    fit; BundleError if no such model is published.
    """
    entry = zoo.find(name)
    published = entry.published
    if published is None:
        raise BundleError(f"nobody publishes weights for {name}: it comes with its bundle")
    if weights and not weights.is_file():
        raise WeightsError(f"there is no file {weights}")
    digest = sha256(weights) if weights else digest_in_name(published.file)
    own = not digest.startswith(digest_in_name(published.file))
    if weights and own and weights.name == published.file:
        raise WeightsError(f"{weights} is damaged: its SHA-256 does not begin as its name says")
    with contextlib.suppress(BundleError):
        made = verify(folder)
        if made.name == name and made.source_sha256.startswith(digest):
            return folder
    path = weights or fetch(published.file, url, on_progress=on_progress)
    module = zoo.build(name)
    load_into(module, load_state(path), path)
    scores = {f"{score}_published": value for score, value in published.scores.items()}
    manifest = entry.manifest(
        license="unknown" if own else zoo.PUBLISHED_LICENSE,
        trained_on=f"unknown data ({path.name})" if own else published.trained_on,
        source_sha256=sha256(path),
        scores={} if own else scores,
    )
    assemble(module, manifest, folder, half=False)
    return folder


def load_into(module: "nn.Module", state: Mapping[str, "Tensor"], path: Path) -> None:
    """Give a module the weights read from `path`; WeightsError if they are of another network.

    An auxiliary head, which is for training only, is left aside.
    """
    given = {k: v for k, v in state.items() if not k.startswith("aux_classifier.")}
    try:
        # Detectors know the names that their layers had when the weights were published.
        missing, left_over = module.load_state_dict(given, strict=False)
    except RuntimeError as error:
        misfits = [line.strip() for line in str(error).splitlines()[1:]]
    else:
        misfits = [*(f"it lacks {k}" for k in missing), *(f"it has {k}" for k in left_over)]
    if misfits:
        raise WeightsError(
            f"{path} does not fit this model: {misfits[0]} ({len(misfits)} such differences)"
        )


def assemble(module: "nn.Module", manifest: Manifest, folder: Path, *, half: bool) -> Manifest:
    """Write the bundle `folder`, its weights in half or in single precision.

    How far the engines' answers are apart goes into its scores. BundleError if
    they are no longer the same for all practical purposes.
    """
    from bentoml_img.engines.export import round_to_half, save_weights

    save_graphs = _save_detector if manifest.task == "detection" else _save_segmenter
    if half:
        round_to_half(module)
    with folder_beside(folder) as part:
        save_weights(module, part / WEIGHTS, half=half)
        save_graphs(module, part, half)
        files = [path.name for path in part.iterdir()]
        write_manifest(part, manifest, files)
        scores = {**manifest.scores, **_compare_engines(part, manifest)}
        complete = write_manifest(part, replace(manifest, scores=scores), files)
        check_agreement(complete)
    return complete


def check_agreement(manifest: Manifest) -> None:
    """BundleError if a bundle's engines do not say the same for all practical purposes."""
    differ = 1 - manifest.scores["export_label_agreement"]
    if differ > 1 - MIN_AGREEMENT:
        raise BundleError(f"the engines disagree on {differ:.1%} of the labels")


def _save_segmenter(module: "nn.Module", folder: Path, half: bool) -> None:
    import torch

    from bentoml_img.engines.export import save_graph

    example = torch.zeros(1, 3, *EXAMPLE_SIZE)
    save_graph(module, example, folder / GRAPH, dynamic={2, 3}, half=half)


def _save_detector(module: "nn.Module", folder: Path, half: bool) -> None:
    """The three networks of a Mask R-CNN, and the rules between them."""
    import torch
    from torchvision.models.detection import MaskRCNN

    from bentoml_img.engines.export import rules_of, save_graph
    from bentoml_img.engines.rules import write_rules
    from bentoml_img.models.maskrcnn import BoxBranch, MaskBranch, Trunk

    assert isinstance(module, MaskRCNN)  # noqa: S101 - for the type checker
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


def _compare_engines(bundle: Path, manifest: Manifest) -> dict[str, float]:
    if manifest.task == "detection":
        return _compare_detectors(bundle)
    return _compare_segmenters(bundle, len(manifest.labels))


def _compare_segmenters(bundle: Path, classes: int) -> dict[str, float]:
    """How far the engines' scores of random pictures are apart."""
    from bentoml_img.engines.export import parity

    random = np.random.default_rng(0)
    inputs = [random.normal(size=(1, 3, *size)).astype(np.float32) for size in CHECKED_SIZES]
    reference, graph = (
        np.concatenate([engine(x)[0].reshape(classes, -1).T for x in inputs])
        for engine in (load_engine(bundle, name) for name in ("torch", "openvino"))
    )
    return parity(reference, graph)


def _compare_detectors(bundle: Path) -> dict[str, float]:
    """How far the engines are apart on the classes and masks of random boxes in random pictures.

    And on what is proposed; only the largest difference of them all is kept.
    """
    from bentoml_img.engines.export import parity
    from bentoml_img.engines.openvino_maskrcnn import openvino_detector
    from bentoml_img.engines.torch_maskrcnn import torch_detector
    from bentoml_img.probabilities import sigmoid

    random = np.random.default_rng(0)
    answers = []
    for height, width in CHECKED_SIZES:
        image = random.normal(size=(1, 3, height, width)).astype(np.float32)
        corners = np.sort(random.uniform(0, 1, (50, 2, 2)), axis=1)
        boxes = (corners * (width, height)).reshape(-1, 4).astype(np.float32)
        answers.append(
            [load(bundle).logits(image, boxes) for load in (torch_detector, openvino_detector)]
        )
    reference, graph = zip(*answers, strict=True)
    ours, theirs = (np.concatenate([it for _, it, _ in each]) for each in (reference, graph))
    scores = parity(ours, theirs)
    differences = [
        float(np.abs(sigmoid(one[kind]) - sigmoid(other[kind])).max())
        for one, other in answers
        for kind in (0, 2)
    ]
    scores["export_max_difference"] = max(scores["export_max_difference"], *differences)
    return scores
