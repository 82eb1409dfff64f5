"""Picture files made on the spot: sound ones, and ones that lie about their size."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image


def photo(width: int = 96, height: int = 64) -> Image.Image:
    """A smooth RGB picture, different in every corner, so that a flip or a crop shows."""
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    planes = [255 * across, 255 * down, 255 * (1 - across) * (1 - down)]
    return Image.fromarray(np.stack(planes, axis=-1).astype(np.uint8))


def encode(image: Image.Image, format_name: str = "PNG", **options: Any) -> bytes:
    """A picture as a file of that format."""
    stream = io.BytesIO()
    image.save(stream, format_name, **options)
    return stream.getvalue()


def jpeg(width: int = 96, height: int = 64, **options: Any) -> bytes:
    """A sound JPEG."""
    return encode(photo(width, height), "JPEG", **options)


def rgb_profile() -> bytes:
    """As much of an ICC profile as its header, which says that it is one of RGB."""
    return struct.pack(">I12x4s16x4s88x", 128, b"RGB ", b"acsp")


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk: length, kind, data and a right checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge(format_name: str, side: int = 20_000) -> bytes:
    """A file of a few kB whose header promises side × side pixels (WebP: 16,383 at most)."""
    return {
        "PNG": _huge_png,
        "JPEG": _huge_jpeg,
        "GIF": _huge_gif,
        "BMP": _huge_bmp,
        "TIFF": _huge_tiff,
        "WEBP": _huge_webp,
    }[format_name](side)


def tiled_tiff(size: tuple[int, int], tile: tuple[int, int], kind: int = 4) -> bytes:
    """A black TIFF in one tile of two megapixels at most, or that says that it is larger.

    `kind` is the type of the tags with its sides: 4 for 32 bits, 16 and 17 for 64.
    """
    content, long_sides = zlib.compress(bytes(2**21)), struct.pack("<QQ", *tile)
    start = 8 + len(long_sides)
    sides = tile if kind == 4 else (8, 16)  # where they stand, if they are too long for their tags
    entries = [
        *((256, 4, size[0]), (257, 4, size[1]), (258, 4, 8), (259, 4, 8), (262, 4, 1)),
        *((322, kind, sides[0]), (323, kind, sides[1]), (324, 4, start), (325, 4, len(content))),
    ]
    tags = b"".join(struct.pack("<HHII", tag, form, 1, value) for tag, form, value in entries)
    directory = struct.pack("<H", len(entries)) + tags + bytes(4)
    return struct.pack("<2sHI", b"II", 42, start + len(content)) + long_sides + content + directory


def _huge_png(side: int) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(4_000_000), 9)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", rows)
        + png_chunk(b"IEND", b"")
    )


def _huge_jpeg(side: int) -> bytes:
    data = jpeg(8, 8)
    start = data.index(b"\xff\xc0") + 5  # after the marker, its length and the sample depth
    return data[:start] + struct.pack(">HH", side, side) + data[start + 4 :]


def _huge_gif(side: int) -> bytes:
    data = encode(Image.new("P", (1, 1)), "GIF")
    frame = data.index(b"\x2c", 13) + 5
    size = struct.pack("<HH", side, side)
    return data[:6] + size + data[10:frame] + size + data[frame + 4 :]


def _huge_bmp(side: int) -> bytes:
    data = encode(photo(8, 8), "BMP")
    return data[:18] + struct.pack("<ii", side, side) + data[26:]


def _huge_tiff(side: int) -> bytes:
    data = encode(Image.new("L", (300, 301)), "TIFF", compression="tiff_lzw")
    for written in (300, 301):
        data = data.replace(struct.pack("<II", 1, written), struct.pack("<II", 1, side))
    return data


def _huge_webp(side: int) -> bytes:
    side = min(side, 16_383)
    data = encode(Image.new("RGB", (8, 8)), "WEBP", lossless=True)
    bits = data.index(b"VP8L") + 9  # after the name, the length and the signature
    (dimensions,) = struct.unpack("<I", data[bits : bits + 4])
    dimensions = dimensions >> 28 << 28 | (side - 1) << 14 | (side - 1)
    return data[:bits] + struct.pack("<I", dimensions) + data[bits + 4 :]
