from collections.abc import Callable

import pytest
import torch

from bentoml_img.models.segmenters import LiteSegmenter, deeplabv3_lite, fcn_lite


@pytest.mark.parametrize("make", [deeplabv3_lite, fcn_lite])
def test_logits_are_at_output_stride_16(make: Callable[[], LiteSegmenter]) -> None:
    network = make().eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 64, 96)).shape == (1, 21, 4, 6)


def test_fits_into_20_megabytes_in_half_precision() -> None:
    assert sum(value.numel() for value in deeplabv3_lite().state_dict().values()) * 2 < 20e6
