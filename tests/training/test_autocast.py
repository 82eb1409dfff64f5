import pytest
import torch

from bentoml_img.training.autocast import autocast, fast_dtype

CPU = torch.device("cpu")


@pytest.mark.parametrize(("native", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_half_precision_only_where_the_processor_computes_in_it(
    native: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native)
    assert fast_dtype(CPU) == dtype
    with autocast(CPU):
        product = torch.ones(2, 3) @ torch.ones(3, 2)
    assert product.dtype == dtype
    assert (torch.ones(2, 3) @ torch.ones(3, 2)).dtype == torch.float32


def test_this_processor_is_asked() -> None:
    with open("/proc/cpuinfo") as file:
        native = "avx512_bf16" in file.read()
    assert fast_dtype(CPU) == (torch.bfloat16 if native else torch.float32)
