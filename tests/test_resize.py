from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.transforms.functional import to_tensor

from bentoml_img.resize import network_shape, prepare
from tests.detectors import SIDES, manifest_of, noise


def test_what_the_network_sees_of_a_photo() -> None:
    manifest = replace(manifest_of("maskrcnn_lite"), input_size=(640, 1280))
    assert network_shape(320, 640, manifest) == (640, 1280)
    assert network_shape(576, 768, manifest) == (640, 853)
    assert network_shape(3000, 1000, manifest) == (1280, 426)


@pytest.mark.parametrize("size", [(160, 120), (75, 131), (301, 77), (1, 1), (500, 3), (96, 96)])
def test_photos_are_prepared_as_torchvision_does(size: tuple[int, int]) -> None:
    manifest = manifest_of("maskrcnn_lite")
    photo = np.asarray(noise(*size))
    transform = GeneralizedRCNNTransform(*SIDES, list(manifest.mean), list(manifest.std))
    with torch.no_grad():
        expected, _ = transform([to_tensor(noise(*size))])
    image, seen = prepare(photo, manifest)
    assert seen == tuple(expected.image_sizes[0])
    np.testing.assert_allclose(image, expected.tensors.numpy(), atol=1e-5)
