"""Bytes to images, safely, and images to bytes.

An upload is opened in two steps. `open_image` reads the header only, so that a
picture of the wrong kind or size is refused before a pixel is decoded;
`load_rgb` decodes it.
"""

import io
import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from bentoml_img.arrays import Float32Array, UInt8Array
from bentoml_img.structure import limits, tiff
from bentoml_img.transparency import scale_transparency

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
SIGNATURE = 16  # bytes at the start of a file that tell its format
MEGAPIXEL = 1_000_000
MAX_MEGAPIXELS = 64  # of a picture, unless an operator says otherwise

# The longest side that libjpeg writes. Rows cost time each: a PNG of one column and a file size
# of 100 kB can keep a decoder busy for a minute.
MAX_SIDE = 65_500

# Of an ICC profile's header.
ICC_COLOUR_SPACE, ICC_SIGNATURE = slice(16, 20), slice(36, 40)
MAX_PROFILE = 2**20  # bytes

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue in brightness: ITU-R BT.601

WHITE_IS_ZERO = 0  # a TIFF's PhotometricInterpretation

# The pixel limit is ours (`open_image`), as an error with its own message.
Image.MAX_IMAGE_PIXELS = None

# What Pillow's decoders raise on damaged files, beside OSError.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    RuntimeError,
    AssertionError,
)


def ignore_decoder_warnings() -> None:
    """Silence what Pillow warns of in a picture, such as damaged metadata: it is no concern here.

    Done on import, for the whole process: `warnings.catch_warnings` around each
    call would change the filters under the feet of other threads.
    """
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


ignore_decoder_warnings()


class ImageError(ValueError):
    """An upload that is not a usable picture; the message is for the user."""


class UnsupportedImage(ImageError):
    """Not one of FORMATS, or of numbers of which nobody knows what is white."""


class ImageTooLarge(ImageError):
    """More pixels than allowed, or in tiles of more."""


class DamagedImage(ImageError):
    """Of a supported format, but it cannot be decoded in full."""


def open_image(data: bytes, max_pixels: int = MAX_MEGAPIXELS * MEGAPIXEL) -> Image.Image:
    """Open a picture by its content and check its size, without decoding it.

    Raises UnsupportedImage, ImageTooLarge or DamagedImage.
    """
    if excess := limits.excess(data):
        raise DamagedImage(f"the picture is damaged: {excess}")
    try:
        image = scale_transparency(Image.open(io.BytesIO(data), formats=FORMATS))
    except UnidentifiedImageError:
        raise UnsupportedImage(
            f"not a picture in a format that is read here ({', '.join(FORMATS)})"
        ) from None
    except DECODER_ERRORS as error:
        raise DamagedImage(f"the picture is damaged: {error}") from None
    if max(image.size) > MAX_SIDE:
        raise ImageTooLarge(
            f"the picture has {image.width}×{image.height} pixels, more than {MAX_SIDE} on a side"
        )
    if image.width * image.height > max_pixels:
        raise ImageTooLarge(
            f"the picture has {image.width}×{image.height} pixels, more than the "
            f"{max_pixels / MEGAPIXEL:g} megapixels allowed"
        )
    if image.mode in ("F", "I"):
        raise UnsupportedImage(
            "the picture's samples are not unsigned numbers of 8 or 16 bits, and which of them is "
            "white is not known: save it with such"
        )
    if image.format == "TIFF" and (tile := tiff.oversized_tile(data)):
        raise ImageTooLarge(
            f"the picture has {image.width}×{image.height} pixels in tiles of "
            f"{tile[0]}×{tile[1]}, far larger than it needs"
        )
    return image


def format_of(head: bytes) -> str | None:
    """Which of FORMATS a file seems to have, by the first SIGNATURE bytes; None if none of them."""
    Image.init()  # or Pillow knows some of them only
    for name in FORMATS:
        _, accept = Image.OPEN[name]
        if accept and accept(head) is True:
            return name
    return None


def load_rgb(image: Image.Image, at_least: int | None = None) -> Image.Image:
    """Decode an opened picture into upright RGB; the first frame of an animation.

    With `at_least`, a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, as
    long as both sides keep `at_least` pixels: several times faster, and the
    decoder averages the pixels that it skips. Transparent pixels are laid over
    white, samples of 12 or 16 bits are cut to their upper 8; a TIFF of signed, longer or
    floating-point ones is refused by `open_image`. Raises DamagedImage.
    """
    try:
        if at_least is not None:
            image.draft("RGB", (at_least, at_least))
        image.load()
        return flatten(turn_upright(image))
    except DECODER_ERRORS as error:
        raise DamagedImage(f"the picture is damaged: {error}") from None


def read_rgb(
    path: Path, at_least: int | None = None, max_pixels: int = MAX_MEGAPIXELS * MEGAPIXEL
) -> Image.Image:
    """A file's picture, opened by `open_image` and decoded by `load_rgb`.

    Raises ImageError, or OSError if the file cannot be read.
    """
    return load_rgb(open_image(path.read_bytes(), max_pixels), at_least)


def turn_upright(image: Image.Image) -> Image.Image:
    """Turn a decoded picture as its EXIF data say, in place."""
    _orientation(image)  # of which Pillow keeps what can be read
    for name in ("exif", "Raw profile type exif"):
        image.info.pop(name, None)  # or it would be written anew, for nothing
    ImageOps.exif_transpose(image, in_place=True)
    return image


def reopen(image: Image.Image) -> Image.Image:
    """What `open_image` gave, once more, to be decoded a second time from the same upload.

    To be asked before `load_rgb`.
    """
    assert isinstance(image, ImageFile.ImageFile)
    assert isinstance(image.fp, io.BytesIO)
    return scale_transparency(Image.open(io.BytesIO(image.fp.getvalue()), formats=FORMATS))


def upright_size(image: Image.Image) -> tuple[int, int]:
    """The (width, height) of an opened picture once it is upright, whatever it is decoded at.

    To be asked before `load_rgb`. Raises DamagedImage.
    """
    try:
        turned = _orientation(image) in (5, 6, 7, 8)
    except DECODER_ERRORS as error:
        raise DamagedImage(f"the picture is damaged: {error}") from None
    width, height = image.size
    # Pillow gives the size of a TIFF as if it were upright already, unless XMP alone turns it.
    already = isinstance(image, TiffImageFile) and ExifTags.Base.Orientation in image.tag_v2
    return (height, width) if turned and not already else (width, height)


def exif_may_follow(image: Image.Image) -> bool:
    """Whether an opened picture may have EXIF data behind its pixels, which are decoded first."""
    return image.format == "PNG" and "exif" not in image.info


def _orientation(image: Image.Image) -> int:
    """As the EXIF data say; 1, upright, where they cannot be read: the picture can."""
    if exif_may_follow(image):
        image.load()  # whose errors are the picture's
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except DECODER_ERRORS:
        return 1
    return int(value) if value in range(1, 9) else 1  # Pillow turns for no text, nor for 6.5


class Normalizer:
    """RGB pictures to what networks take: float32 of shape (3, H, W), less a mean, over a spread.

    `mean` and `std` are per channel on a 0–1 scale.
    """

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        levels = np.arange(256, dtype=np.float32) / 255
        self._tables = [
            (levels - np.float32(m)) / np.float32(s) for m, s in zip(mean, std, strict=True)
        ]

    def __call__(self, image: Image.Image) -> Float32Array:
        pixels = rgb_array(image)
        planes = np.empty((3, *pixels.shape[:2]), np.float32)
        for channel, table in enumerate(self._tables):
            np.take(table, pixels[..., channel], out=planes[channel], mode="clip")
        return planes


def rgb_array(image: Image.Image) -> UInt8Array:
    """The pixels of an RGB picture, shape (height, width, 3); ValueError for another mode."""
    if image.mode != "RGB":
        raise ValueError(f"a picture of mode {image.mode}, not RGB: `read_rgb` gives such")
    return np.asarray(image)


def encode_png(image: Image.Image) -> bytes:
    """A PNG file. Run lengths suit masks and take a quarter of the usual effort."""
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1, compress_type=3)
    return stream.getvalue()


def encode_jpeg(image: Image.Image) -> bytes:
    """A JPEG file of an RGB picture; ImageTooLarge if a side is more than the format can say."""
    if max(image.size) > MAX_SIDE:
        raise ImageTooLarge(
            f"the result has {image.width}×{image.height} pixels, and the sides of a JPEG have "
            f"{MAX_SIDE:,} at most"
        )
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90, icc_profile=image.info.get("icc_profile"))
    return stream.getvalue()


ENCODERS = {".jpg": encode_jpeg, ".jpeg": encode_jpeg, ".png": encode_png}  # by a file's suffix


def flatten(image: Image.Image) -> Image.Image:
    """A decoded picture in RGB: over white where it is transparent, the upper 8 bits of more.

    The picture itself if it is so already, but for its metadata, or Pillow would write comments
    into the answers. A profile that says how its RGB is to be shown stays, and what is drawn
    on the picture keeps it: to convert the pixels would take longer than to decode them.
    """
    profile = image.info.get("icc_profile")
    flat = _flat(image)
    flat.info = {"icc_profile": profile} if _is_rgb(profile) else {}
    return flat


def _is_rgb(profile: object) -> bool:
    """Whether an ICC profile is one of RGB, and no longer than photos have it."""
    return (
        isinstance(profile, bytes)
        and len(profile) <= MAX_PROFILE
        and profile[ICC_COLOUR_SPACE] == b"RGB "
        and profile[ICC_SIGNATURE] == b"acsp"
    )


def _flat(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode == "La":  # which convert() knows no other way from
        image = image.convert("LA")
    if image.mode.startswith("I;16"):  # which convert() would clip at 255
        return _upper_bits(image).convert("RGB")
    if image.has_transparency_data:
        rgba = image if image.mode == "RGBA" else image.convert("RGBA")
        flat = Image.new("RGB", image.size, "white")
        flat.paste(rgba, mask=rgba)
        return flat
    return image.convert("RGB")


def _upper_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits, or of 12 in a TIFF, in 8; white where it is transparent."""
    samples = np.asarray(image)
    tags = image.tag_v2 if isinstance(image, TiffImageFile) else {}
    (bits,) = tags.get(ExifTags.Base.BitsPerSample, (16,))
    grey = (samples >> (bits - 8)).astype(np.uint8)
    if tags.get(ExifTags.Base.PhotometricInterpretation) == WHITE_IS_ZERO:
        grey = 255 - grey
    if "transparency" in image.info:
        grey[samples == image.info["transparency"]] = 255
    return Image.fromarray(grey)
