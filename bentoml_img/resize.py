"""What a detector sees of a photo, as torchvision's detectors do it."""

import numpy as np

from bentoml_img.arrays import Float32Array, UInt8Array
from bentoml_img.bundle import Manifest
from bentoml_img.interpolation import neighbours


def network_shape(height: int, width: int, manifest: Manifest) -> tuple[int, int]:
    """The (height, width) in pixels at which the network sees a photo.

    `manifest.input_size` has the length of the short side, and the most that the long
    side may have: where that would be more, both are smaller.
    """
    short, long = manifest.input_size
    scale = min(short / min(height, width), long / max(height, width))
    return max(1, int(height * scale)), max(1, int(width * scale))


def prepare(photo: UInt8Array, manifest: Manifest) -> tuple[Float32Array, tuple[int, int]]:
    """The network's input (1, 3, H, W), and the (height, width) of it that is photo, not padding.

    Resized bilinearly from the nearest four pixels, however much smaller it
    gets: rows first, so that nothing of a large photo's size is made.
    """
    height, width = network_shape(photo.shape[0], photo.shape[1], manifest)
    stride = manifest.stride
    image = np.zeros((1, 3, height + -height % stride, width + -width % stride), np.float32)
    upper, lower, down = neighbours(photo.shape[0], height)
    left, right, across = neighbours(photo.shape[1], width)
    down = down[:, None]
    channels = zip(np.moveaxis(photo, 2, 0), image[0], manifest.mean, manifest.std, strict=True)
    for pixels, plane, mean, std in channels:
        rows = pixels[upper] * (1 - down) + pixels[lower] * down
        rows /= np.float32(255 * std)
        rows -= np.float32(mean / std)
        seen = plane[:height, :width]
        # All are within the picture: to clip them is the fastest way to take them.
        np.multiply(rows.take(left, 1, mode="clip"), 1 - across, out=seen)
        seen += rows.take(right, 1, mode="clip") * across
    return image, (height, width)
