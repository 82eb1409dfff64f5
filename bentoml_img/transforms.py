"""What photos go through before each network."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Transform:
    """What a photo goes through before a network.

    `input_size` is (height, width), or (short side,), as torchvision's Resize
    has it, or for detection (short side, long side at most); sides are then
    multiples of `stride`. `mean` and `std` are per RGB channel on a 0–1 scale.
    """

    input_size: tuple[int, ...]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    stride: int = 1


TORCHVISION = Transform((520,), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
LITE = Transform((384,), mean=(0.498, 0.498, 0.498), std=(0.502, 0.502, 0.502), stride=16)
PYRAMID = Transform((800, 1333), TORCHVISION.mean, TORCHVISION.std, stride=32)
LITE_SQUARE = Transform((128, 128), LITE.mean, LITE.std, stride=32)
LITE_PYRAMID = Transform((800, 1600), LITE.mean, LITE.std, stride=32)
