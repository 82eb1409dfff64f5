"""Where bundles are: the zoo's are shipped, made before, or made when asked for."""

import contextlib
from importlib.util import find_spec
from pathlib import Path

from bentoml_img import zoo
from bentoml_img.assemble import official_bundle
from bentoml_img.bundle import MANIFEST, BundleError, verify
from bentoml_img.weights import OnProgress, WeightsError, cache_folder, digest_in_name, is_sound

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "artifacts"
MADE = ROOT / "build" / "models"
MAKERS = ("safetensors", "torch", "torchvision")  # packages that make a bundle of weights


def bundle_of(
    model: str,
    weights: Path | None = None,
    url: str | None = None,
    on_progress: OnProgress = lambda done, total: None,
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
            raise WeightsError(f"{model} comes with its weights: leave out the others")
        return Path(model) if own else SHIPPED / model
    entry = zoo.find(model)
    try:
        return official_bundle(model, MADE / model, weights, url, on_progress)
    except WeightsError as error:
        if weights:
            raise
        shipped = [e.name for e in zoo.ZOO.values() if e.task == entry.task and not e.published]
        needs = "need" if len(shipped) > 1 else "needs"
        raise WeightsError(
            f"{error}; give --weights FILE, or a mirror with --weights-url URL or the variable "
            f"BENTOML_IMG_WEIGHTS_URL, or choose {' or '.join(shipped)}, which {needs} no download"
        ) from error


def is_at_hand(name: str) -> bool:
    """Whether a model's bundle can be had without a download: it is there, or can be made here."""
    published = zoo.find(name).published
    if not published:
        return (SHIPPED / name / MANIFEST).is_file()
    with contextlib.suppress(BundleError):
        if verify(MADE / name).source_sha256.startswith(digest_in_name(published.file)):
            return True
    with contextlib.suppress(WeightsError):
        return all(map(find_spec, MAKERS)) and is_sound(cache_folder() / published.file)
    return False
