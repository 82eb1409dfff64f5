"""How large a GIF's frames make it, without decoding one.

A frame may lie beyond the picture that the header promises, and decoders make
the picture larger then: a hundred bytes can ask for gigabytes.
"""

from pathlib import Path
from typing import BinaryIO

SCREEN, FRAME, EXTENSION, END = 13, b",", b"!", b";"


def frames_extent(path: Path) -> tuple[int, int]:
    """The (width, height) that hold all frames of a GIF, as far as the file goes."""
    width = height = 0
    with path.open("rb") as file:
        screen = file.read(SCREEN)
        _skip_colours(file, screen[10:11])
        while (block := file.read(1)) not in (b"", END):
            if block == EXTENSION:
                file.read(1)
                _skip_data(file)
            elif block == FRAME:
                place = file.read(9)
                x, y, w, h = (int.from_bytes(place[i : i + 2], "little") for i in (0, 2, 4, 6))
                width, height = max(width, x + w), max(height, y + h)
                _skip_colours(file, place[8:9])
                file.read(1)
                _skip_data(file)
    return width, height


def _skip_colours(file: BinaryIO, flags: bytes) -> None:
    if flags and flags[0] & 0x80:
        file.seek(3 << (flags[0] & 7) + 1, 1)


def _skip_data(file: BinaryIO) -> None:
    while (length := file.read(1)) not in (b"", b"\0"):
        file.seek(length[0], 1)
