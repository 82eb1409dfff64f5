"""A model bundle: a folder with weights, graphs and a manifest that names and vouches for them."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Self, TypeVar

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

    def graphs(self, precision: str = "fp32") -> tuple[str, ...]:
        """The graphs that an engine needs for this task; each has a `.bin` file beside it.

        In int8 the first one is another than in the other precisions.
        """
        first, *others = DETECTION_GRAPHS if self.task == "detection" else (GRAPH,)
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


@dataclass(frozen=True)
class Bundle:
    """A folder, and the manifest in it. Only `verify` reads the files that this names."""

    folder: Path
    manifest: Manifest

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The bundle in a folder; BundleError if its manifest is missing or of another shape."""
        return cls(folder, read_strict(folder / MANIFEST, Manifest))

    @classmethod
    def write(cls, folder: Path, manifest: Manifest, files: Iterable[str]) -> Self:
        """Digest `files`, which lie in the folder, and write the manifest that names them."""
        digests = {name: sha256(folder / name) for name in files}
        complete = replace(manifest, files=digests)
        atomic.write(folder / MANIFEST, complete.to_json().encode())
        return cls(folder, complete)

    def verify(self) -> Self:
        """The bundle itself; BundleError if a file has not the digest that its manifest states."""
        for name, digest in self.manifest.files.items():
            path = self.folder / name
            if name != path.name or "\0" in name:
                manifest = self.folder / MANIFEST
                raise BundleError(f"{manifest} names {name!r}, which is not in the bundle")
            try:
                found = sha256(path)
            except FileNotFoundError:
                raise BundleError(f"{path} is missing") from None
            except OSError as error:
                raise BundleError(f"cannot read {path}: {error.strerror}") from None
            if found != digest:
                raise BundleError(f"{path} is damaged: its SHA-256 is not {digest}")
        return self

    def add_scores(self, scores: Mapping[str, float]) -> Self:
        """Verify it, and put more scores into its manifest; the bundle with these."""
        manifest = self.verify().manifest
        complete = replace(manifest, scores={**manifest.scores, **scores})
        return self.write(self.folder, complete, manifest.files)

    def copy(self, target: Path) -> Self:
        """Copy the manifest and the files that it names, and no others, into a folder."""
        target.mkdir(parents=True, exist_ok=True)
        for name in (MANIFEST, *self.manifest.files):
            shutil.copyfile(self.folder / name, target / name)
        return replace(self, folder=target)


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


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
