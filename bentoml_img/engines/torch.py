"""PyTorch: the reference engine, and the one on a GPU."""

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from bentoml_img import zoo
from bentoml_img.arrays import Float32Array
from bentoml_img.bundle import WEIGHTS, Bundle, BundleError


class ModuleEngine:
    """A network's module, in evaluation mode, on the device where it is."""

    def __init__(self, module: torch.nn.Module, device: torch.device) -> None:
        self.module, self.device = module, device

    @torch.inference_mode()
    def __call__(self, batch: Float32Array) -> Float32Array:
        images = torch.from_numpy(batch).to(self.device, memory_format=torch.channels_last)
        logits: Float32Array = self.module(images).float().cpu().numpy()
        return logits


def best_device() -> torch.device:
    """The GPU, if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def open_module(bundle: Bundle, threads: int | None) -> tuple[torch.nn.Module, torch.device]:
    """A bundle's network (`load_module`) on the best device, and that device.

    If `threads` is given, PyTorch computes with so many.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    device = best_device()
    return load_module(bundle).to(device).to(memory_format=torch.channels_last), device


def load_module(bundle: Bundle) -> torch.nn.Module:
    """A bundle's network with its weights, in single precision, to be evaluated.

    BundleError if the weights are missing, damaged or of another network.
    """
    module, path = zoo.build(bundle.manifest.name), bundle.folder / WEIGHTS
    try:
        weights = load_file(path)
        module.load_state_dict({name: value.float() for name, value in weights.items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise BundleError(f"cannot load {path}: {reason}") from error
    return module.eval()
