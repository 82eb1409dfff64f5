import numpy as np
import pytest

from bentoml_img.exporting.parity import parity


def test_parity() -> None:
    logits = np.array([[4.0, 0.0], [0.0, 4.0]], np.float32)
    assert parity(logits, logits) == {"export_label_agreement": 1.0, "export_max_difference": 0.0}
    flipped = parity(logits, logits[:, ::-1])
    assert flipped["export_label_agreement"] == 0
    assert flipped["export_max_difference"] == pytest.approx(np.tanh(2))
    assert set(parity(logits, logits, "int8")) == {"int8_label_agreement", "int8_max_difference"}
