"""From a segmenter's weights to a bundle with a graph for every engine."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bentoml_img import zoo
from bentoml_img.bundle import (
    GRAPH,
    GRAPH_DATA,
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

FILES = (WEIGHTS, GRAPH, GRAPH_DATA)

# Small, so that exporting is quick; the graph takes any height and width.
EXAMPLE_SIZE = (128, 160)
CHECKED_SIZES = ((128, 160), (96, 240))
# A wrong graph agrees on far less; half precision costs random weights up to a twentieth.
MIN_AGREEMENT = 0.9


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
    published, transform = entry.published, entry.transform
    if published is None or transform is None:
        raise BundleError(f"nobody publishes weights for {name}: it comes with its bundle")
    if weights and not weights.is_file():
        raise WeightsError(f"there is no file {weights}")
    digest = sha256(weights) if weights else digest_in_name(published.file)
    with contextlib.suppress(BundleError):
        made = verify(folder)
        if made.name == name and made.source_sha256.startswith(digest):
            return folder
    path = weights or fetch(published.file, url, on_progress=on_progress)
    module = zoo.build(name)
    load_into(module, load_state(path), path)
    own = not digest.startswith(digest_in_name(published.file))
    manifest = Manifest(
        name=name,
        task=entry.task,
        labels=entry.labels.names,
        input_size=transform.input_size,
        stride=transform.stride,
        mean=transform.mean,
        std=transform.std,
        license="unknown" if own else published.license,
        trained_on=f"unknown data ({path.name})" if own else published.trained_on,
        source_sha256=sha256(path),
        scores={} if own else {"coco_voc_miou_published": published.miou},
    )
    assemble(module, manifest, folder, half=False)
    return folder


def load_into(module: "nn.Module", state: Mapping[str, "Tensor"], path: Path) -> None:
    """Give a module the weights read from `path`; WeightsError if they are of another network.

    An auxiliary head, which is for training only, is left aside.
    """
    given = {k: v for k, v in state.items() if not k.startswith("aux_classifier.")}
    own = module.state_dict()
    misfits = [
        *(f"it lacks {k}" for k in own if k not in given),
        *(f"it has {k}" for k in given if k not in own),
        *(
            f"its {k} has the shape {tuple(given[k].shape)}, not {tuple(own[k].shape)}"
            for k in own
            if k in given and given[k].shape != own[k].shape
        ),
    ]
    if misfits:
        raise WeightsError(
            f"{path} does not fit this model: {misfits[0]} ({len(misfits)} such differences)"
        )
    module.load_state_dict(given)


def assemble(module: "nn.Module", manifest: Manifest, folder: Path, *, half: bool) -> Manifest:
    """Write the bundle `folder`, its weights in half or in single precision.

    How far the engines' answers are apart goes into its scores. BundleError if
    they are no longer the same for all practical purposes.
    """
    import torch

    from bentoml_img.engines.export import save_graph, save_weights

    if half:
        module.half().float()  # so that the graph is made of what the other engine will load
    with _beside(folder) as part:
        save_weights(module, part / WEIGHTS, half=half)
        example = torch.zeros(1, 3, *EXAMPLE_SIZE)
        save_graph(module, example, part / GRAPH, dynamic={2, 3}, half=half)
        write_manifest(part, manifest, FILES)
        scores = {**manifest.scores, **_compare_engines(part, len(manifest.labels))}
        complete = write_manifest(part, replace(manifest, scores=scores), FILES)
        if scores["export_label_agreement"] < MIN_AGREEMENT:
            raise BundleError(
                f"the engines disagree on {1 - scores['export_label_agreement']:.1%} of the labels"
            )
    return complete


def _compare_engines(bundle: Path, classes: int) -> dict[str, float]:
    """How far the engines' scores of random pictures are apart."""
    from bentoml_img.engines.export import parity

    random = np.random.default_rng(0)
    inputs = [random.normal(size=(1, 3, *size)).astype(np.float32) for size in CHECKED_SIZES]
    reference, graph = (
        np.concatenate([engine(x)[0].reshape(classes, -1).T for x in inputs])
        for engine in (load_engine(bundle, name) for name in ("torch", "openvino"))
    )
    return parity(reference, graph)


@contextlib.contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A folder to write into, which takes the place of `folder` if all goes well."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
