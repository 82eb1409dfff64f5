"""Pictures that are small files and much work: refused by what they are made of.

Pillow adds the blocks of a GIF's comment to each other, looks at each chunk of a
PNG, makes a number of each value of a tag, and begins anew at each strip of a TIFF.
Encoders write a few thousand of these at most. It decodes the run lengths of a BMP
in Python. And of a TIFF libtiff decodes whole tiles, however small the picture.
JPEGs are in `bentoml_img.jpeg_limits`.
"""

import re
from collections.abc import Iterator, Sequence

from bentoml_img import jpeg_limits

HEAD = 4 * 2**20  # bytes at the start of a long file that are enough to tell
MAX_COMMENT, MAX_BLOCKS = 10_000, 100_000  # blocks of at most 255 bytes, before the first frame
MAX_CHUNKS = 20_000
MAX_VALUES = 600_000  # two for each tile of 16 × 16 pixels, in the largest pictures allowed
MAX_STRIPS = 10_000  # or tiles, beside those that have as many pixels as the smallest tile
MAX_RUNS = 1_000_000  # pixels that may be in run lengths, and bytes that these may have

COMMENT = b"\xfe"  # the extension of a GIF that Pillow joins
LARGE_TILE = 1024, 1024  # pixels; encoders write such for a picture of any size
TILE_STEP = 16  # of which a tile's sides are multiples

PICTURE_SIDES, TILE_SIDES = (256, 257), (322, 323)  # width and length, tags of a TIFF
OFFSETS = 273, 324  # where its strips or its tiles are
# Of TIFF's types those that stay what they are: bytes and text.
_PLAIN = frozenset({1, 2, 7})
# And the bytes of those that are whole numbers. Pillow does not know the last two, libtiff does.
_WHOLE = {3: 2, 4: 4, 8: 2, 9: 4, 13: 4, 16: 8, 17: 8, 18: 8}
_EXIF = re.compile(rb"(?:Exif\0\0){0,2}")  # before the tags; Pillow takes off as many


def excess(data: bytes) -> str | None:
    """What a picture has more of than it may, if it does."""
    if data.startswith(jpeg_limits.SIGNATURE):
        return jpeg_limits.excess(data)
    if data.startswith(b"GIF8"):
        return _of_gif(data)
    if data.startswith(b"\x89PNG"):
        return _of_chunks("PNG", _png_chunks(data))
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _of_chunks("WebP", _webp_chunks(data))
    if data.startswith((b"II", b"MM")):
        return _of_tags("a TIFF", data) or _of_strips(data)
    if data.startswith(b"BM"):
        return _of_runs(data)
    return None


def _of_gif(data: bytes) -> str | None:
    of_comments = of_others = 0
    position = 13 + colour_bytes(data[10:11])
    while data[position : position + 1] == b"!":
        is_comment = data[position + 1 : position + 2] == COMMENT
        position += 2
        while length := data[position : position + 1].rstrip(b"\0"):
            position += 1 + length[0]
            of_comments += is_comment
            of_others += not is_comment
            if of_comments > MAX_COMMENT or of_others > MAX_BLOCKS:
                most = MAX_COMMENT if is_comment else MAX_BLOCKS
                return f"a GIF of more than {most} blocks before its first frame"
        position += 1
    return None


def colour_bytes(flags: bytes) -> int:
    """How long the table of colours is that a GIF's flags (a byte, or none) announce."""
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0


def _of_chunks(name: str, chunks: Iterator[tuple[bytes, bytes]]) -> str | None:
    for number, (kind, content) in enumerate(chunks):
        if number > MAX_CHUNKS:
            return f"a {name} of more than {MAX_CHUNKS} chunks"
        if kind.lower() == b"exif":
            tags = _EXIF.sub(b"", content, count=1)
            if excess := _of_tags(f"a {name}", tags):
                return excess
    return None


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position, kind = 8, b""
    while position < len(data) and kind != b"IEND":
        length = int.from_bytes(data[position : position + 4])
        start = position + 8
        kind = data[position + 4 : start]
        yield kind, data[start : start + length] if kind == b"eXIf" else b""
        position = start + length + 4


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position, end = 12, 8 + int.from_bytes(data[4:8], "little")
    while position < min(end, len(data)):
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        start = position + 8
        kind = data[position : position + 4]
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
    def number(start: int) -> int:
        return int.from_bytes(data[start : start + 4], "little")

    if number(14) == 12 or number(30) not in (1, 2):  # the oldest header has no compression
        return None
    width, height = number(18), number(22)
    pixels = width * min(height, 2**32 - height)  # from the top down it is negative
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
    """The values of each of these tags; more than one where it is there more than once."""
    found: dict[int, list[int]] = {tag: [] for tag in tags}
    for tag, kind, _, value in _entries(data):
        if tag in found and kind in _WHOLE:
            found[tag].append(value)
    return list(found.values())


def _entries(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Tag, type, number of values and the first of these, if it is a whole number.

    Of the first directory, in a TIFF or in EXIF data, which are laid out as one.
    """
    order = {b"II": "little", b"MM": "big"}.get(data[:2])

    def number(start: int, size: int) -> int:
        return int.from_bytes(data[start : start + size], order)  # type: ignore[arg-type]

    if order is None:
        return
    big = data[2:3] == b"\x2b"  # where Pillow looks, in either order of bytes
    wide, entry = (8, 20) if big else (4, 12)
    directory = number(8 if big else 4, wide)
    first = directory + (8 if big else 2)
    last = min(len(data), first + entry * number(directory, first - directory))
    for start in range(first, last, entry):
        kind, value = number(start + 2, 2), start + 4 + wide
        size = _WHOLE.get(kind, 0)
        yield (
            number(start, 2),
            kind,
            number(start + 4, wide),
            number(value if size <= wide else number(value, wide), size),
        )
