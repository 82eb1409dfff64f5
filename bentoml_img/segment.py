"""Photos to masks: the class of each pixel."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from bentoml_img.arrays import Float32Array, UInt8Array
from bentoml_img.bundle import BundleError, Manifest
from bentoml_img.engines import load_engine
from bentoml_img.engines.interface import Engine
from bentoml_img.images import Normalizer, load_rgb, upright_size
from bentoml_img.palettes import DEFAULT_PALETTE, PALETTES, PaletteName
from bentoml_img.postprocessing.upsample import upsample_labels
from bentoml_img.predictor import Predictor

# Of a panorama, the network sees no more than this many times its short side.
MAX_ASPECT = 4

MOST_CLASSES = 256


@dataclass(frozen=True)
class ClassArea:
    """A class in a mask: its id, its RGB colour, and how much of the picture it covers.

    `share` is a part of 1.
    """

    id: int
    label: str
    colour: tuple[int, int, int]
    pixels: int
    share: float


@dataclass(frozen=True)
class SegmentedClasses:
    """The classes in a photo, the largest first, and the photo's size in pixels."""

    width: int
    height: int
    classes: list[ClassArea]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """One photo's answer: a class id for each pixel, uint8 of shape (height, width).

    `labels` are the names of the ids.
    """

    mask: UInt8Array
    labels: tuple[str, ...]

    def areas(self, palette: PaletteName = DEFAULT_PALETTE) -> list[ClassArea]:
        """The classes that are there, the largest first, in the colours of a palette."""
        counts = Image.fromarray(self.mask).histogram()
        present = sorted((k for k, n in enumerate(counts) if n), key=lambda k: -counts[k])
        colour, size = PALETTES[palette], self.mask.size
        return [
            ClassArea(k, self.labels[k], colour(k), counts[k], round(counts[k] / size, 6))
            for k in present
        ]

    def summary(self, palette: PaletteName = DEFAULT_PALETTE) -> SegmentedClasses:
        """What is said of the mask in JSON."""
        height, width = self.mask.shape
        return SegmentedClasses(width, height, self.areas(palette))


class Segmenter(Predictor[Engine, Segmentation]):
    """Masks for photos of any size, from a model bundle.

    The three steps of a call are there one by one, for whoever runs them in
    different threads: `prepare` or `preprocess`, `scores`, `segmentation`.
    """

    task = "segmentation"
    _load = staticmethod(load_engine)

    def __init__(self, manifest: Manifest, engine: Engine, precision: str = "fp32") -> None:
        """BundleError if there are more than MOST_CLASSES classes."""
        super().__init__(manifest, engine, precision)
        if len(manifest.labels) > MOST_CLASSES:
            raise BundleError(
                f"{manifest.name} has {len(manifest.labels)} classes: a mask's pixels are bytes, "
                f"which tell {MOST_CLASSES} apart"
            )
        self._normalize = Normalizer(manifest.mean, manifest.std)

    def __call__(self, images: Sequence[Image.Image]) -> list[Segmentation]:
        """Masks for RGB photos, each of its photo's size."""
        return [
            self.segmentation(self.scores(self.preprocess(image)), image.size) for image in images
        ]

    def segment_opened(self, image: Image.Image) -> Segmentation:
        """The mask for an opened photo, which is decoded only as far as the network needs."""
        pixels, size = self.prepare(image)
        return self.segmentation(self.scores(pixels), size)

    def prepare(self, image: Image.Image) -> tuple[Float32Array, tuple[int, int]]:
        """Decode an opened photo only as far as the network needs.

        Returns what `scores` takes, and the photo's (width, height).
        """
        size = upright_size(image)
        return self.preprocess(load_rgb(image, self.decode_at_least(size)), size), size

    def preprocess(self, image: Image.Image, size: tuple[int, int] | None = None) -> Float32Array:
        """What the network sees of an RGB photo, shape (3, H, W).

        `size` is the photo's (width, height) if it was decoded at less.
        """
        seen = self.size_seen(size or image.size)
        return self._normalize(image.resize(seen, Image.Resampling.BILINEAR))

    def decode_at_least(self, size: tuple[int, int]) -> int:
        """The side in pixels that `load_rgb` should keep of a photo of (width, height).

        Twice the short one of what the network sees.
        """
        return 2 * min(self.size_seen(size))

    def size_seen(self, size: tuple[int, int]) -> tuple[int, int]:
        """The (width, height) at which the network sees a photo of (width, height)."""
        return network_size(size, self.manifest.input_size[0], self.manifest.stride)

    def scores(self, pixels: Float32Array) -> Float32Array:
        """The network's scores for a preprocessed photo: (classes, h, w), on its own grid."""
        scores: Float32Array = self.engine(pixels[None])[0]
        return scores

    def segmentation(self, scores: Float32Array, size: tuple[int, int]) -> Segmentation:
        """The answer for a photo of (width, height), given its scores."""
        width, height = size
        return Segmentation(upsample_labels(scores, height, width), self.manifest.labels)


def network_size(size: tuple[int, int], side: int, stride: int) -> tuple[int, int]:
    """The (width, height) at which a network sees a photo of (width, height).

    The short side is `side`, the long one in proportion, cut to a whole number, as
    torchvision's Resize does; then both go to the nearest multiple of the
    network's stride.
    """
    short, long = min(size), max(size)
    if long > MAX_ASPECT * short:
        ends = max(1, MAX_ASPECT * side * short // long), MAX_ASPECT * side
    else:
        ends = side, side * long // short
    short, long = (max(stride, round(end / stride) * stride) for end in ends)
    return (short, long) if size[0] <= size[1] else (long, short)
