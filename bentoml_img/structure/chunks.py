"""Chunks, of which PNG and WebP files are made: a type, a length and a content each.

Pillow looks at each chunk of a PNG. Encoders write a few thousand at most, and
a small file can have millions.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

MAX_CHUNKS, LONG_CHUNK = 20_000, 4096  # as many, plus one per LONG_CHUNK bytes of the file


class Chunk(NamedTuple):
    """A chunk's type, and where its content starts and ends: with the file, if that is cut off."""

    kind: bytes
    start: int
    end: int


def limited(name: str, size: int, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """The chunks of a file of `size` bytes; ValueError if there are more than encoders write."""
    most = MAX_CHUNKS + size // LONG_CHUNK
    for number, chunk in enumerate(chunks):
        if number > most:
            raise ValueError(f"a {name} of more than {most} chunks")
        yield chunk
