"""How large a GIF's frames make it, without decoding one.

A frame may lie beyond the picture that the header promises, and decoders make
the picture larger then: a hundred bytes can ask for gigabytes.
"""

from pathlib import Path
from typing import BinaryIO

from bentoml_img.decode_limits import colour_bytes

MANY, SMALL = 100_000, 32  # blocks, and bytes of each: they may have 255
SCREEN, FRAME, EXTENSION, END = 13, b",", b"!", b";"


def frames_extent(path: Path) -> tuple[int, int]:
    """The (width, height) that hold all frames of a GIF, as far as the file goes.

    ValueError if its data are in many more blocks than they need.
    """
    width = height = 0
    with path.open("rb") as file:
        data = _Data(file)
        screen = file.read(SCREEN)
        file.seek(colour_bytes(screen[10:11]), 1)
        while (block := file.read(1)) not in (b"", END):
            if block == EXTENSION:
                file.read(1)
                data.skip()
            elif block == FRAME:
                place = file.read(9)
                x, y, w, h = (int.from_bytes(place[i : i + 2], "little") for i in (0, 2, 4, 6))
                width, height = max(width, x + w), max(height, y + h)
                file.seek(colour_bytes(place[8:9]), 1)
                file.read(1)
                data.skip()
    return width, height


class _Data:
    """The blocks of data in a file, which decoders read one by one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._blocks = self._bytes = 0

    def skip(self) -> None:
        """Go on behind the blocks that begin here."""
        while (length := self._file.read(1)) not in (b"", b"\0"):
            self._file.seek(length[0], 1)
            self._blocks += 1
            self._bytes += length[0]
            if self._blocks > MANY and self._bytes < SMALL * self._blocks:
                raise ValueError(f"its data are in blocks of less than {SMALL} bytes")
