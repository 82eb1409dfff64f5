"""Find, verify and load weights that others publish.

They lie where torch's own hub keeps them, so that what is there already is not
downloaded again, and under names that carry the first digits of their SHA-256,
as torchvision's do: a file without these is never used.
"""

import os
import pickle
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bentoml_img.bundle import sha256

if TYPE_CHECKING:
    from torch import Tensor, nn

# What torch.load raises on files that are no weights, or damaged ones.
NOT_LOADABLE = (
    OSError,
    RuntimeError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    struct.error,
    pickle.UnpicklingError,
)


class WeightsError(Exception):
    """Weights that cannot be had, or that are not what they should be; for the user to read."""


def cache_folder() -> Path:
    """Where `torch.hub` keeps downloaded weights: the same rule, without importing torch."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or os.path.join(cache, "torch")
    return Path(home).expanduser() / "hub" / "checkpoints"


def digest_in_name(file_name: str) -> str:
    """The first hexadecimal digits of a file's SHA-256, empty if its name does not carry them."""
    found = re.search(r"-([0-9a-f]{8,64})\.", file_name)
    return found[1] if found else ""


def is_sound(path: Path, file_name: str | None = None) -> bool:
    """Whether a file is there whose SHA-256 begins with the digits in its name.

    Those in `file_name` count instead, if it is given. WeightsError if the file cannot
    be read.
    """
    digest = digest_in_name(file_name or path.name)
    try:
        return bool(digest) and path.is_file() and sha256(path).startswith(digest)
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}") from None


def load_state(path: Path) -> dict[str, "Tensor"]:
    """The state dict in a `.pth` file, on the processor; nothing in it is executed.

    WeightsError if the file holds no state dict.
    """
    import torch

    if not path.is_file():
        raise WeightsError(f"there is no file {path}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except NOT_LOADABLE:
        raise WeightsError(f"{path} holds no weights that PyTorch can load safely") from None
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    ):
        raise WeightsError(f"{path} is not a state dict: parameter names with their tensors")
    return state


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
