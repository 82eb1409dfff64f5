"""TIFFs and EXIF data, some of which are much work."""

import struct


def tags(values: int, order: str = "<", kind: int = 5) -> bytes:
    """A directory with a tag of so many values, by default of eight bytes each."""
    mark = b"II" if order == "<" else b"MM"
    return struct.pack(f"{order}2sHIHHHII", mark, 42, 8, 1, 700, kind, values, 26)


def tiff(size: tuple[int, int], *more: tuple[int, int, int, int]) -> bytes:
    """Grey, its rows a strip or more, with `more` tags: number, type, count and value."""
    sides = [(256 + k, 4, 1, side) for k, side in enumerate(size)]
    entries = sorted([*sides, (258, 3, 1, 8), (262, 3, 1, 1), *more])
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + directory
    return head + bytes(4)


def overlapping(tags: int, length: int) -> bytes:
    """With so many tags of `length` bytes, the same for all of them."""
    return tiff((8, 8), *((1000 + k, 1, length, 8) for k in range(tags))) + bytes(length)
