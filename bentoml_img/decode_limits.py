"""Refuse picture files that are small but expensive to decode, by their structure alone.

Pillow looks at each chunk of a PNG, makes a number of each value of a tag, and
begins anew at each strip of a TIFF. Encoders write a few thousand of these at
most. It decodes the run lengths of a BMP in Python. And of a TIFF libtiff decodes
whole tiles, however small the picture. JPEGs and GIFs are in `jpeg_limits` and
`gif_limits`.
"""

import re
from collections.abc import Iterator, Sequence
from mmap import mmap
from struct import Struct
from typing import Literal, NamedTuple

from PIL import TiffTags
from PIL.ExifTags import Base

from bentoml_img import gif_limits, jpeg_limits

MAX_CHUNKS, LONG_CHUNK = 20_000, 4096  # and one more for each so many bytes of the file
MAX_VALUES = 600_000  # two for each tile of 16 × 16 pixels, in the largest pictures allowed
MAX_STRIPS = 10_000  # or tiles, beside those that have as many pixels as the smallest tile
MAX_RUNS = 1_000_000  # pixels that may be in run lengths, and bytes that these may have

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHUNK = Struct(">I4s")  # length of the content, type
PNG_CHECK = 4  # bytes behind the content
PNG_EXIF_TEXT = b"Raw profile type exif\0"  # EXIF data in hexadecimal, as older writers have them
MAX_EXIF_TEXT = 2**20  # bytes; Pillow allows as many where they are compressed

WEBP_HEAD = Struct("<4sI4s")  # RIFF, length of what follows, WEBP
WEBP_CHUNK = Struct("<4sI")  # type, length of the content, which is padded to an even one

BMP_HEAD = Struct("<2sI2HI")  # BITMAPFILEHEADER: signature, length, 0, 0, where the pixels are
BMP_INFO = Struct("<2Ii2HI")  # BITMAPINFOHEADER: its length, sides, planes, bits, compression, …
BMP_CORE_LENGTH = 12  # of the oldest header, which has no compression
RLE8, RLE4 = 1, 2

# Of such a file Pillow reads what a smaller offset leads to, and libtiff, which decodes, the rest.
BIG_TIFF = b"MM\0+"

LARGE_TILE = 1024, 1024  # pixels; encoders write such for a picture of any size
TILE_STEP = 16  # of which a tile's sides are multiples

PICTURE_SIDES = Base.ImageWidth, Base.ImageLength
TILE_SIDES = Base.TileWidth, Base.TileLength
OFFSETS = Base.StripOffsets, Base.TileOffsets
# Of TIFF's types those that stay what they are: bytes and text.
_PLAIN = frozenset({TiffTags.BYTE, TiffTags.ASCII, TiffTags.UNDEFINED})
# And the bytes of those that are whole numbers. Pillow does not know the last two, libtiff does.
_SIGNED_LONG8, _IFD8 = 17, 18
_WHOLE = {
    TiffTags.SHORT: 2,
    TiffTags.LONG: 4,
    TiffTags.SIGNED_SHORT: 2,
    TiffTags.SIGNED_LONG: 4,
    TiffTags.IFD: 4,
    TiffTags.LONG8: 8,
    _SIGNED_LONG8: 8,
    _IFD8: 8,
}
_EXIF = re.compile(rb"(?:Exif\0\0){0,2}")  # before the tags; Pillow takes off as many


def excess(data: bytes) -> str | None:
    """What a picture has more of than it may, if it does."""
    if data.startswith(jpeg_limits.SIGNATURE):
        return jpeg_limits.excess(data)
    if data.startswith(BIG_TIFF):
        return "a BigTIFF with the first byte of a number first, in which readers disagree"
    if data.startswith((b"II", b"MM")):
        return _of_tags("a TIFF", data) or _of_strips(data)
    if data.startswith(b"BM"):
        return _of_runs(data)
    return excess_of_animation(data)


def excess_of_animation(data: bytes | mmap) -> str | None:
    """The same of a GIF, PNG or WebP, in memory or in a file that is mapped."""
    head = data[: WEBP_HEAD.size]
    if head.startswith(b"GIF8"):
        return gif_limits.excess(data)
    if head.startswith(b"\x89PNG"):
        return _of_chunks("PNG", len(data), _png_chunks(data))
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _of_chunks("WebP", len(data), _webp_chunks(data))
    return None


def _of_chunks(name: str, size: int, chunks: Iterator[tuple[bytes, bytes]]) -> str | None:
    most = MAX_CHUNKS + size // LONG_CHUNK
    for number, (kind, content) in enumerate(chunks):
        if number > most:
            return f"a {name} of more than {most} chunks"
        if content.startswith(PNG_EXIF_TEXT) and len(content) > MAX_EXIF_TEXT:
            return f"a {name} of more than {MAX_EXIF_TEXT} bytes of EXIF data as text"
        if kind.lower() == b"exif":
            tags = _EXIF.sub(b"", content, count=1)
            if excess := _of_tags(f"a {name}", tags):
                return excess
    return None


def _png_chunks(data: bytes | mmap) -> Iterator[tuple[bytes, bytes]]:
    position, kind = len(PNG_SIGNATURE), b""
    while position + PNG_CHUNK.size <= len(data) and kind != b"IEND":
        length, kind = PNG_CHUNK.unpack_from(data, position)
        start = position + PNG_CHUNK.size
        is_exif = kind == b"eXIf" or data[start : start + len(PNG_EXIF_TEXT)] == PNG_EXIF_TEXT
        yield kind, data[start : start + length] if is_exif else b""
        position = start + length + PNG_CHECK


def _webp_chunks(data: bytes | mmap) -> Iterator[tuple[bytes, bytes]]:
    _, length, _ = WEBP_HEAD.unpack_from(data)
    position, end = WEBP_HEAD.size, 8 + length
    while position < end and position + WEBP_CHUNK.size <= len(data):
        kind, length = WEBP_CHUNK.unpack_from(data, position)
        start = position + WEBP_CHUNK.size
        yield kind, data[start : start + length] if kind == b"EXIF" else b""
        position = start + length + length % 2


def _of_tags(name: str, data: bytes) -> str | None:
    values = plain = 0
    for _, kind, count, _ in _entries(data):
        values += 1 if kind in _PLAIN else count
        if values > MAX_VALUES:
            return f"{name} of more than {MAX_VALUES} values in its tags"
        if kind in _PLAIN and count <= len(data):  # or it cannot be read, and nobody keeps it
            plain += count
        if plain > len(data):
            return f"{name} whose tags have the same bytes many times"
    return None


def _of_strips(data: bytes) -> str | None:
    strips = max((count for tag, _, count, _ in _entries(data) if tag in OFFSETS), default=0)
    if strips <= MAX_STRIPS:
        return None
    width, height = (min(side, default=0) for side in _numbers(data, PICTURE_SIDES))
    most = min(MAX_STRIPS + width * height // TILE_STEP**2, MAX_VALUES // 2)
    return f"a TIFF of more than {most} strips or tiles" if strips > most else None


def _of_runs(data: bytes) -> str | None:
    if len(data) < BMP_HEAD.size + BMP_INFO.size:
        return None
    length, width, height, _, _, compression = BMP_INFO.unpack_from(data, BMP_HEAD.size)
    if length == BMP_CORE_LENGTH or compression not in (RLE8, RLE4):
        return None
    pixels = width * abs(height)  # from the top down it is negative
    if max(pixels, len(data)) <= MAX_RUNS:
        return None
    return f"an RLE-compressed BMP of more than {MAX_RUNS} pixels or bytes"


def oversized_tile(data: bytes) -> tuple[int, int] | None:
    """Width and height of a TIFF's tiles, if these are far larger than the picture needs.

    Those that fit into the picture, or into LARGE_TILE, are not.
    """
    # Of a tag that is there twice, one reader takes the first, and another the last.
    sides = _numbers(data, (*PICTURE_SIDES, *TILE_SIDES))
    across, down = (side + -side % TILE_STEP for side in (min(s, default=0) for s in sides[:2]))
    width, height = (max(side, default=0) for side in sides[2:])
    if any(width <= w and height <= h for w, h in (LARGE_TILE, (across, down))):
        return None
    return width, height


def _numbers(data: bytes, tags: Sequence[int]) -> list[list[int]]:
    """The first value of each of these tags, if it is a whole number.

    More than one where the tag is there more than once.
    """
    found: dict[int, list[int]] = {tag: [] for tag in tags}
    for entry in _entries(data):
        if entry.tag in found and entry.type in _WHOLE:
            found[entry.tag].append(_first_number(data, entry))
    return list(found.values())


class _Entry(NamedTuple):
    """A tag of a directory, with the type and the number of its values.

    `value` are the bytes of these or, if they are too many, the offset of these.
    """

    tag: int
    type: int
    n: int
    value: bytes


class _Layout(NamedTuple):
    """How a TIFF is laid out, as `struct` has it.

    The header ends with the offset of the first directory, which begins with the
    number of its entries.
    """

    header: str
    number: str
    entry: str


_CLASSIC = _Layout("2sHI", "H", "HHI4s")
_BIG = _Layout("2s3HQ", "Q", "HHQ8s")
_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II": "little", b"MM": "big"}


def _entries(data: bytes) -> Iterator[_Entry]:
    """Those of the first directory, in a TIFF or in EXIF data, which are laid out as one."""
    order = _ORDERS.get(data[:2])
    if order is None:
        return
    is_big = data[2:3] == b"+"
    prefix = "<" if order == "little" else ">"
    header, number, entry = (Struct(prefix + form) for form in (_BIG if is_big else _CLASSIC))
    if len(data) < header.size:
        return
    *_, place = header.unpack_from(data)
    start = place + number.size
    if len(data) < start:
        return
    (n,) = number.unpack_from(data, place)
    whole = min(n, (len(data) - start) // entry.size)
    directory = memoryview(data)[start : start + whole * entry.size]
    yield from map(_Entry._make, entry.iter_unpack(directory))


def _first_number(data: bytes, entry: _Entry) -> int:
    """The first of an entry's whole numbers, as if it had no sign; 0 behind the end of the data."""
    order, size = _ORDERS[data[:2]], _WHOLE[entry.type]
    if size <= len(entry.value):
        return int.from_bytes(entry.value[:size], order)
    start = int.from_bytes(entry.value, order)
    return int.from_bytes(data[start : start + size], order)
