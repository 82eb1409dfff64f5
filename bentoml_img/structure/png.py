"""PNGs: their chunks, the delays of an animated one, and limits of both chunks and EXIF data."""

from collections.abc import Iterator
from mmap import mmap
from struct import Struct

from bentoml_img.structure import tiff
from bentoml_img.structure.chunks import Chunk, limited

EXIF_TEXT = b"Raw profile type exif\0"  # EXIF data in hexadecimal, as older writers have them
MAX_EXIF_TEXT = 2**20  # bytes; Pillow allows as many where they are compressed

SIGNATURE = b"\x89PNG"
START = 8  # bytes of the whole signature
HEAD = Struct(">I4s")  # length of the content, type
CHECK = 4  # bytes behind the content

FRAME = Struct(">20x2H2x")  # of an `fcTL`: the delay's numerator and denominator
PER_SECOND = 100  # the denominator that 0 stands for


def excess(data: bytes | mmap) -> str | None:
    """What a PNG has more of than it may, if it does."""
    try:
        for kind, start, end in chunks(data):
            if end - start > MAX_EXIF_TEXT and data[start : start + len(EXIF_TEXT)] == EXIF_TEXT:
                return f"a PNG of more than {MAX_EXIF_TEXT} bytes of EXIF data as text"
            if kind == b"eXIf" and (too_much := tiff.excess_of_exif("a PNG", data[start:end])):
                return too_much
    except ValueError as error:
        return str(error)
    return None


def chunks(data: bytes | mmap) -> Iterator[Chunk]:
    """Those up to IEND, or as far as the file goes; ValueError if there are too many."""
    return limited("PNG", len(data), _chunks(data))


def _chunks(data: bytes | mmap) -> Iterator[Chunk]:
    position, kind = START, b""
    while position + HEAD.size <= len(data) and kind != b"IEND":
        length, kind = HEAD.unpack_from(data, position)
        start = position + HEAD.size
        yield Chunk(kind, start, min(start + length, len(data)))
        position = start + length + CHECK


def delays(data: bytes | mmap) -> Iterator[float]:
    """How long each frame of an animated PNG asks to be shown, in milliseconds.

    ValueError as for `chunks`.
    """
    for kind, start, end in chunks(data):
        if kind == b"fcTL" and end - start >= FRAME.size:
            numerator, denominator = FRAME.unpack_from(data, start)
            yield 1000 * numerator / (denominator or PER_SECOND)
