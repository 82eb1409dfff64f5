"""WebP files: their chunks, the delays of an animated one, and limits of chunks and EXIF data."""

from collections.abc import Iterator
from mmap import mmap
from struct import Struct

from bentoml_img.structure import tiff
from bentoml_img.structure.chunks import Chunk, limited

HEAD = Struct("<4sI4s")  # RIFF, length of what follows, WEBP
LENGTH_FROM = 8  # bytes, from where on that length counts
CHUNK_HEAD = Struct("<4sI")  # type, length of the content, which is padded to an even one

# Of the content of a frame's chunk, `ANMF`: where its delay in milliseconds is, and its bytes.
DELAY, DELAY_BYTES = 12, 3


def is_head(head: bytes) -> bool:
    """Whether a file that starts with these bytes is a WebP."""
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def excess(data: bytes | mmap) -> str | None:
    """What a WebP has more of than it may, if it does."""
    try:
        for kind, start, end in chunks(data):
            if kind == b"EXIF" and (too_much := tiff.excess_of_exif("a WebP", data[start:end])):
                return too_much
    except ValueError as error:
        return str(error)
    return None


def chunks(data: bytes | mmap) -> Iterator[Chunk]:
    """Those of the whole file, as far as it goes; ValueError if there are too many."""
    return limited("WebP", len(data), _chunks(data))


def _chunks(data: bytes | mmap) -> Iterator[Chunk]:
    _, length, _ = HEAD.unpack_from(data)
    position, end = HEAD.size, LENGTH_FROM + length
    while position < end and position + CHUNK_HEAD.size <= len(data):
        kind, length = CHUNK_HEAD.unpack_from(data, position)
        start = position + CHUNK_HEAD.size
        yield Chunk(kind, start, min(start + length, len(data)))
        position = start + length + length % 2


def delays(data: bytes | mmap) -> Iterator[float]:
    """How long each frame of an animated WebP asks to be shown, in milliseconds.

    ValueError as for `chunks`.
    """
    for kind, start, end in chunks(data):
        delay = start + DELAY
        if kind == b"ANMF" and delay + DELAY_BYTES <= end:
            yield int.from_bytes(data[delay : delay + DELAY_BYTES], "little")
