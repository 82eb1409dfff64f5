"""Where bundles are: the zoo's are shipped, made before, or made when asked for."""

import contextlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bentoml_img import zoo
from bentoml_img.bundle import MANIFEST, RULES, Bundle, BundleError, Manifest, sha256
from bentoml_img.engines.rules import read_rules
from bentoml_img.paths import MADE, SHIPPED
from bentoml_img.published.weights import (
    WeightsError,
    cache_folder,
    digest_in_name,
    is_sound,
    load_into,
    load_state,
)

if TYPE_CHECKING:
    from bentoml_img.published.download import OnProgress

MAKERS = ("safetensors", "torch", "torchvision")  # packages that make a bundle of weights


def bundle_of(
    model: str,
    weights: Path | None = None,
    url: str | None = None,
    on_progress: "OnProgress" = lambda done, total: None,
) -> Path:
    """The bundle of a model: the shipped one, or one that is made of published weights.

    `model` is its name in the zoo, or the folder of another bundle. Published
    weights come from the file `weights`, from torch's cache, or from the mirror
    `url` or torchvision's server. WeightsError if they cannot be had; BundleError
    if there is no such model.
    """
    own = model not in zoo.ZOO and (Path(model) / MANIFEST).is_file()
    if own or not zoo.find(model).published:
        if weights or url:
            raise WeightsError(
                f"{model} comes with its weights: name the model of --list that others are for"
            )
        return Path(model) if own else SHIPPED / model
    entry = zoo.find(model)
    try:
        return official_bundle(model, MADE / model, weights, url, on_progress)
    except WeightsError as error:
        if weights:
            raise
        shipped = [name for name in zoo.names_of(entry.task) if not zoo.find(name).published]
        needs = "need" if len(shipped) > 1 else "needs"
        raise WeightsError(
            f"{error}; give --weights FILE, or a mirror with --weights-url URL or the variable "
            f"BENTOML_IMG_WEIGHTS_URL, or choose {' or '.join(shipped)}, which {needs} no download"
        ) from error


def official_bundle(
    name: str,
    folder: Path,
    weights: Path | None = None,
    url: str | None = None,
    on_progress: "OnProgress" = lambda done, total: None,
) -> Path:
    """The bundle `folder` of a model that torchvision publishes; made if it is not there yet.

    The weights come from the file `weights`, or else they are fetched: see
    `bentoml_img.published.fetch`. WeightsError if they cannot be had or do not
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
        made = _made(folder)
        if made.name == name and made.source_sha256.startswith(digest):
            return folder
    # Here: without PyTorch nothing is downloaded.
    from bentoml_img.exporting.assemble import assemble
    from bentoml_img.published.fetch import fetch

    path = weights or fetch(published.file, url, on_progress)
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


def _made(folder: Path) -> Manifest:
    """What was made there; BundleError if it cannot be used, such as one of another version."""
    made = Bundle.open(folder).verify().manifest
    if RULES in made.files:
        read_rules(folder)
    return made


def is_at_hand(name: str) -> bool:
    """Whether a model's bundle can be had without a download: it is there, or can be made here."""
    published = zoo.find(name).published
    if not published:
        return (SHIPPED / name / MANIFEST).is_file()
    with contextlib.suppress(BundleError):
        made = _made(MADE / name)
        if made.source_sha256.startswith(digest_in_name(published.file)):
            return True
    with contextlib.suppress(WeightsError):
        return all(map(find_spec, MAKERS)) and is_sound(cache_folder() / published.file)
    return False
