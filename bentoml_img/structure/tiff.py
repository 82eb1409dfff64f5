"""TIFFs, and EXIF data, which are laid out as one: their tags, and limits of these and of tiles.

Pillow makes a number of each value of a tag, and begins anew at each strip or tile.
Encoders write a few thousand of these at most. libtiff decodes whole tiles,
however small the picture.
"""

import re
from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Literal, NamedTuple

from PIL import TiffTags
from PIL.ExifTags import Base

MAX_VALUES = 600_000  # two for each tile of 16 × 16 pixels, in the largest pictures allowed
MAX_STRIPS = 10_000  # strips or tiles, plus one per TILE_STEP² pixels

SIGNATURES = b"II", b"MM"
# In such a file Pillow reads what a smaller offset leads to; libtiff, which decodes, the rest.
BIG_TIFF = b"MM\0+"

LARGE_TILE = 1024, 1024  # pixels; encoders write such for a picture of any size
TILE_STEP = 16  # of which a tile's sides are multiples

PICTURE_SIDES = Base.ImageWidth, Base.ImageLength
TILE_SIDES = Base.TileWidth, Base.TileLength
OFFSETS = Base.StripOffsets, Base.TileOffsets
# The types of which Pillow makes no numbers: bytes and text.
_PLAIN = frozenset({TiffTags.BYTE, TiffTags.ASCII, TiffTags.UNDEFINED})
# The bytes of each type of whole numbers. Pillow does not know the last two, libtiff does.
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
    """What a TIFF has more of than it may, if it does."""
    if data.startswith(BIG_TIFF):
        return "a BigTIFF with the first byte of a number first, in which readers disagree"
    return _of_tags("a TIFF", data) or _of_strips(data)


def excess_of_exif(name: str, data: bytes) -> str | None:
    """The same for the tags in the EXIF data of another picture, which `name` tells."""
    return _of_tags(name, _EXIF.sub(b"", data, count=1))


def _of_tags(name: str, data: bytes) -> str | None:
    values = plain = 0
    for _, kind, count, _ in _entries(data):
        values += 1 if kind in _PLAIN else count
        if values > MAX_VALUES:
            return f"{name} of more than {MAX_VALUES} values in its tags"
        if kind in _PLAIN and count <= len(data):  # more cannot be read, and nobody keeps them
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


def oversized_tile(data: bytes) -> tuple[int, int] | None:
    """Width and height of a TIFF's tiles, if these are far larger than the picture needs.

    Tiles that fit into the picture, or into LARGE_TILE, are not.
    """
    # Where a tag is there twice, one reader takes the first and another the last: the worse counts.
    sides = _numbers(data, (*PICTURE_SIDES, *TILE_SIDES))
    across, down = (side + -side % TILE_STEP for side in (min(s, default=0) for s in sides[:2]))
    width, height = (max(side, default=0) for side in sides[2:])
    if any(width <= w and height <= h for w, h in (LARGE_TILE, (across, down))):
        return None
    return width, height


def _numbers(data: bytes, tags: Sequence[int]) -> list[list[int]]:
    """For each of these tags its first value, if that is a whole number.

    None where the tag is missing, several where it is there more than once.
    """
    found: dict[int, list[int]] = {tag: [] for tag in tags}
    for entry in _entries(data):
        if entry.tag in found and entry.type in _WHOLE:
            found[entry.tag].append(_first_number(data, entry))
    return list(found.values())


class _Entry(NamedTuple):
    """A tag of a directory, with the type and the number of its values.

    `value` has the bytes of the values or, if they do not fit in, their offset in the file.
    """

    tag: int
    type: int
    n: int
    value: bytes


class _Layout(NamedTuple):
    """How a TIFF is laid out, in the format strings of `struct`.

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
    """The entries of the first directory, as far as the data go."""
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
    """The first of an entry's whole numbers, read without a sign; 0 if the data end before it."""
    order, size = _ORDERS[data[:2]], _WHOLE[entry.type]
    if size <= len(entry.value):
        return int.from_bytes(entry.value[:size], order)
    start = int.from_bytes(entry.value, order)
    return int.from_bytes(data[start : start + size], order)
