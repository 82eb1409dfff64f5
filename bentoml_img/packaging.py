"""A bundle into BentoML's model store, and a service around it into a Bento."""

import contextlib
import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bentoml
from bentoml.exceptions import NotFound

from bentoml_img.bundle import Bundle, BundleError, Manifest
from bentoml_img.engines import resolve
from bentoml_img.paths import ROOT
from bentoml_img.result_names import ANNOTATED, MASK
from bentoml_img.system import atomic

# Sources of a Bento: what serving imports, and nothing that only the scripts or training need.
SOURCES = ("services/**/*.py", "services/page/*.*", "bentoml_img/**/*.py")
NOT_SERVED = (
    *(f"bentoml_img/{folder}/**/*.py" for folder in ("cli", "exporting", "offline", "published")),
    "bentoml_img/training/**/*.py",
    *(f"bentoml_img/{module}.py" for module in ("packaging", "paths", "shelf", "drawing/charts")),
)


@dataclass(frozen=True)
class ServiceSpec:
    """How the service of one task is packaged: its Bento's name and labels, and its module.

    A label `run.suffix.API` says what `bentoml run` adds to the name of the
    input for a file that the API answers with.
    """

    bento: str
    module: str
    labels: Mapping[str, str] = field(default_factory=dict)


SERVICES = {
    "classification": ServiceSpec("PytorchImageClassifier", "classifier"),
    "segmentation": ServiceSpec("PytorchImageSegment", "segmenter", {"run.suffix.predict": MASK}),
    "detection": ServiceSpec(
        "PytorchInstanceDetector",
        "detector",
        {"run.suffix.predict": ANNOTATED, "run.suffix.annotate_video": ANNOTATED},
    ),
}


@dataclass(frozen=True)
class PackagedBento:
    """A Bento in the store: its tag with capitals, and its folder."""

    tag: str
    path: Path

    @property
    def name(self) -> str:
        return self.tag.partition(":")[0]


def package(folder: Path, engine: str = "auto", precision: str = "fp32") -> PackagedBento:
    """Verify a bundle, and build the Bento that serves it on an engine, in a precision.

    Its version is a digest of its contents: what was packaged before is found
    again. BundleError if the bundle is unusable, or if it was not measured what
    the precision costs in accuracy.
    """
    bundle = Bundle.open(folder).verify()
    manifest = bundle.manifest
    engine = resolve(bundle, engine, precision)
    if not manifest.knows_cost_of(precision):
        raise BundleError(
            f"what {precision} costs {manifest.name} in accuracy has not been measured: "
            "docs/precision.md tells how"
        )
    service = SERVICES[manifest.task]
    model_tag = _store_model(bundle)
    requirements = f"services/requirements/{service.module}-{engine}.txt"
    options: dict[str, Any] = {
        "service": f"services.{service.module}:{service.bento}",
        "name": service.bento,
        "include": [*SOURCES, requirements],
        "exclude": [*NOT_SERVED],
        "models": [model_tag],
        "description": _description(manifest, engine, precision),
        "labels": {
            "model": manifest.name,
            "engine": engine,
            "precision": precision,
            **service.labels,
        },
        "args": {
            "bundle": model_tag,
            "engine": engine,
            "precision": precision,
            "requirements": requirements,
        },
    }
    version = _version(options, requirements)
    tag = f"{service.bento}:{version}"
    with _quiet():
        bento = _latest(service.bento)
        if bento is None or bento.tag.version != version:
            _discard(tag)
            bento = bentoml.build(**options, version=version, build_ctx=str(ROOT))
        # BentoML adds a requirement of itself, as it runs here, without a hash. Each time, as an
        # earlier run may have ended in between.
        locked = (ROOT / requirements).read_bytes()
        atomic.write(Path(bento.path, "env/python/requirements.txt"), locked)
    return PackagedBento(tag, Path(bento.path))


def _description(manifest: Manifest, engine: str, precision: str) -> str:
    """The Bento's README, which its page shows too (BentoML's own links to other sites)."""
    return (
        f"Model `{manifest.name}` on {engine} in {precision}, for {manifest.task}. "
        f"Trained on {manifest.trained_on}; licence {manifest.license}.\n\n"
        "Send a picture as the file `image` of a form, or as the raw body of the request."
    )


def _latest(name: str) -> bentoml.Bento | None:
    try:
        return bentoml.get(f"{name}:latest")
    except NotFound:
        return None


def _discard(tag: str) -> None:
    """Delete a Bento that is not the latest, so that building it again makes it the latest."""
    with contextlib.suppress(NotFound):
        bentoml.delete(tag)


def _store_model(bundle: Bundle) -> str:
    manifest, tag = bundle.manifest, bundle.manifest.tag
    try:
        bentoml.models.get(tag)
    except NotFound:
        labels = {"task": manifest.task, "license": manifest.license}
        with bentoml.models.create(tag, labels=labels) as model:
            bundle.copy(Path(model.path))
    return tag


def _version(options: Mapping[str, Any], requirements: str) -> str:
    """A digest of all that goes into the Bento."""
    digest = hashlib.sha256(json.dumps(options, sort_keys=True).encode())
    for path in (*sorted(_sources()), ROOT / requirements):
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _sources() -> set[Path]:
    """The files of this repository that a Bento has, but for its requirements."""
    there, left_out = (
        {path for pattern in patterns for path in ROOT.glob(pattern)}
        for patterns in (SOURCES, NOT_SERVED)
    )
    return there - left_out


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without BentoML's build log, which speaks of the steps inside."""
    logger = logging.getLogger("bentoml")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
