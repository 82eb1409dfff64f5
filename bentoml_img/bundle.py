"""A model bundle: a folder with weights, graphs and a manifest that names and vouches for them."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from bentoml_img.system import atomic

T = TypeVar("T")

MANIFEST = "manifest.json"
WEIGHTS = "model.safetensors"
GRAPH = "model.xml"
GRAPH_DATA = "model.bin"

# Of a detector: what sees the photo, what tells the classes of boxes, what draws masks in them.
DETECTION_GRAPHS = ("trunk.xml", "boxes.xml", "masks.xml")
RULES = "rules.json"  # by which a detector's boxes go from one of its graphs to the next

Side = Annotated[int, Field(ge=1, le=4096)]  # of what a network sees, in pixels
Divisor = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class BundleError(Exception):
    """A bundle that is incomplete, damaged or of another kind; the message is for the user."""


@with_config(ConfigDict(extra="forbid", strict=True))
@dataclass(frozen=True)
class Manifest:
    """What a bundle holds and where it comes from.

    `input_size` is (height, width) in pixels, or (short side,) where a photo
    keeps its proportions, or for detection (short side, long side at most), with
    sides that are multiples of `stride`; `mean` and `std` are per RGB channel on
    a 0–1 scale. `files` maps file names to SHA-256
    digests, `scores` maps the name of a measurement to its value, in the unit
    that it names. `source_sha256` is the digest of the file that the weights
    were taken from, where they were made elsewhere.
    """

    name: str
    task: str
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    input_size: Annotated[tuple[Side, ...], Field(min_length=1, max_length=2)]
    mean: tuple[float, float, float]
    std: tuple[Divisor, Divisor, Divisor]
    license: str
    trained_on: str
    stride: Annotated[int, Field(ge=1, le=128)] = 1
    temperature: Divisor = 1.0
    source_sha256: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def graphs(self) -> tuple[str, ...]:
        """The graphs that an engine needs for this task; each has a `.bin` file beside it."""
        return DETECTION_GRAPHS if self.task == "detection" else (GRAPH,)

    def graphs_in(self, precision: str) -> tuple[str, ...]:
        """The graphs that an engine needs in a precision: in int8, another one is the first."""
        first, *others = self.graphs
        if precision == "int8":
            first = f"{Path(first).stem}_int8.xml"
        return first, *others

    def knows_cost_of(self, precision: str) -> bool:
        """Whether it was measured what a precision costs in accuracy: fp32 costs nothing."""
        return precision == "fp32" or f"{precision}_loss" in self.scores

    @property
    def digest(self) -> str:
        """A SHA-256 over the whole manifest, and so over every file of the bundle."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @property
    def tag(self) -> str:
        """The name and a version, by which a store knows it."""
        return f"{self.name}:{self.digest[:12]}"

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"


def read_manifest(bundle: Path) -> Manifest:
    """The manifest of a bundle; BundleError if there is none or it is not what it should be."""
    return read_strict(bundle / MANIFEST, Manifest)


def read_strict(path: Path, kind: type[T]) -> T:
    """A dataclass from a bundle's JSON file; BundleError if that is missing or of another shape."""
    try:
        return TypeAdapter(kind).validate_json(path.read_bytes())
    except FileNotFoundError:
        raise BundleError(f"{path.parent} is not a model bundle: it has no {path.name}") from None
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}") from None
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        what = ": ".join(filter(None, (".".join(map(str, problem["loc"])), problem["msg"])))
        raise BundleError(f"cannot read {path}: {what}") from None


def verify(bundle: Path) -> Manifest:
    """The manifest of a bundle, all of whose files have the digests it states; else BundleError."""
    manifest = read_manifest(bundle)
    for name, digest in manifest.files.items():
        if name != Path(name).name or "\0" in name:
            raise BundleError(f"{bundle / MANIFEST} names {name!r}, which is not in the bundle")
        try:
            found = sha256(bundle / name)
        except FileNotFoundError:
            raise BundleError(f"{bundle / name} is missing") from None
        except OSError as error:
            raise BundleError(f"cannot read {bundle / name}: {error.strerror}") from None
        if found != digest:
            raise BundleError(f"{bundle / name} is damaged: its SHA-256 is not {digest}")
    return manifest


def write_manifest(bundle: Path, manifest: Manifest, files: Iterable[str]) -> Manifest:
    """Digest `files`, which lie in the folder `bundle`, and write the manifest that names them."""
    digests = {name: sha256(bundle / name) for name in files}
    complete = replace(manifest, files=digests)
    atomic.write(bundle / MANIFEST, complete.to_json().encode())
    return complete


def add_scores(bundle: Path, scores: Mapping[str, float]) -> Manifest:
    """Put more scores into a bundle's manifest; BundleError if its files are not what it states."""
    manifest = verify(bundle)
    complete = replace(manifest, scores={**manifest.scores, **scores})
    return write_manifest(bundle, complete, manifest.files)


def copy(bundle: Path, target: Path) -> Manifest:
    """Copy a bundle's manifest and files, verified, into the folder `target`."""
    manifest = verify(bundle)
    target.mkdir(parents=True, exist_ok=True)
    for name in (MANIFEST, *manifest.files):
        shutil.copyfile(bundle / name, target / name)
    return manifest


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
