"""The precision that networks compute in during training."""

import torch


def fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device computes in it; single precision elsewhere.

    A processor without AVX512-BF16 emulates it: a step then takes ten times as long.
    """
    native = (
        torch.cuda.is_bf16_supported(including_emulation=False)
        if device.type == "cuda"
        else torch.cpu._is_avx512_bf16_supported()
    )
    return torch.bfloat16 if native else torch.float32


def autocast(device: torch.device) -> torch.autocast:
    """Autocast to `fast_dtype`."""
    enabled = fast_dtype(device) == torch.bfloat16
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)
