import pytest

from bentoml_img.engines import openvino
from services.precision import precision_here


@pytest.mark.parametrize(("has", "computes"), [(True, "bf16"), (False, "fp32")])
def test_a_processor_without_bfloat16_serves_in_fp32_and_says_so(
    has: bool,
    computes: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(openvino, "has_bfloat16", lambda: has)
    assert precision_here("bf16") == computes
    assert ("no bfloat16: computing in fp32" in caplog.text) is not has


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_other_precisions_are_had_everywhere(precision: str) -> None:
    assert precision_here(precision) == precision
