"""What the predictors of all tasks have in common: each is made of a model bundle for its task."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Generic, Self, TypeVar

from PIL import Image

from bentoml_img.bundle import Bundle, BundleError, Manifest

E = TypeVar("E")  # the engine
A = TypeVar("A")  # the answer for a photo


class Predictor(ABC, Generic[E, A]):
    """A loaded network and its manifest, called with photos; a class for each task.

    `precision` is what the engine computes in.
    """

    task: ClassVar[str]

    def __init__(self, manifest: Manifest, engine: E, precision: str = "fp32") -> None:
        self.manifest = manifest
        self.engine = engine
        self.precision = precision

    @property
    def identity(self) -> str:
        """The model's tag and the precision, such as "maskrcnn_lite:ea7a3065316f in fp32"."""
        return f"{self.manifest.tag} in {self.precision}"

    @classmethod
    def from_bundle(
        cls,
        folder: Path,
        engine: str = "auto",
        precision: str = "fp32",
        threads: int | None = None,
    ) -> Self:
        """Load the bundle in a folder; BundleError if it is incomplete or for another task.

        `threads` is at most how many the engine computes with (None: all).
        """
        bundle = Bundle.open(folder)
        if bundle.manifest.task != cls.task:
            raise BundleError(f"the model {bundle.manifest.name} is for {bundle.manifest.task}")
        return cls(bundle.manifest, cls._load(bundle, engine, precision, threads), precision)

    @staticmethod
    @abstractmethod
    def _load(bundle: Bundle, engine: str, precision: str, threads: int | None) -> E:
        """The engine of a bundle for this task."""

    @abstractmethod
    def __call__(self, images: Sequence[Image.Image]) -> list[A]:
        """The answers for RGB photos, one each."""
