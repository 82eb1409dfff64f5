"""GIFs: where their frames end, how long each is shown, and limits of their blocks.

A frame may lie beyond the picture that the header promises, and Pillow makes the
picture larger then: a hundred bytes can ask for gigabytes. It keeps each block of a
comment, and reads all blocks one by one. So a file is read here as Pillow reads it,
also where it is damaged.
"""

from collections.abc import Iterator
from mmap import mmap
from struct import Struct
from typing import NamedTuple

# Before a frame: blocks, of at most 255 bytes each, and bytes that belong to no block.
MAX_BLOCKS = 100_000
# Of the frames' data: more than MANY blocks must have SMALL bytes or more on average, of 255.
MANY, SMALL = 100_000, 32

SIGNATURE = b"GIF8"
HEAD = Struct("<6s2Hc2x")  # signature, sides, flags, background, aspect
FRAME_HEAD = Struct("<4Hc")  # left, top, width, height, flags
FRAME, EXTENSION, END = b",", b"!", b";"
CONTROL, COMMENT, APPLICATION = b"\xf9", b"\xfe", b"\xff"
DELAY = slice(1, 3)  # of the block of a CONTROL, in DELAY_UNITs
DELAY_UNIT = 10  # milliseconds
LOOP = b"NETSCAPE2.0"  # how often to repeat: Pillow takes one more block, even an empty one


class Frame(NamedTuple):
    """Where a frame ends, in pixels from the left and from the top of the picture.

    `delay` is how long it asks to be shown, in milliseconds; 0 if it does not.
    """

    right: int
    bottom: int
    delay: int


def excess(data: bytes | mmap) -> str | None:
    """What a GIF has more of before its first frame than it may, if it does."""
    try:
        next(frames(data), None)
    except ValueError as error:
        return str(error)
    return None


def frames(data: bytes | mmap) -> Iterator[Frame]:
    """The frames that Pillow finds, as far as the file goes.

    ValueError if there are far more blocks than encoders write.
    """
    if len(data) < HEAD.size:
        return
    *_, flags = HEAD.unpack_from(data)
    walk = _Walk(data, HEAD.size + _colour_bytes(flags))
    while walk.find_frame() and walk.position + FRAME_HEAD.size < len(data):
        left, top, width, height, flags = FRAME_HEAD.unpack_from(data, walk.position)
        yield Frame(left + width, top + height, walk.delay)
        walk.position += FRAME_HEAD.size + _colour_bytes(flags) + 1  # how long codes are
        walk.pass_data()


class _Walk:
    """The way that Pillow goes through the blocks of a GIF.

    `delay` is that of the frame at hand, in milliseconds.
    """

    def __init__(self, data: bytes | mmap, position: int) -> None:
        self.position = position
        self.delay = 0
        self._data = data
        self._frames = 0  # found so far
        self._blocks = self._bytes = 0  # of their data

    def find_frame(self) -> bool:
        """Go to the next frame's head, if there is a frame."""
        passed = self.delay = 0
        while (kind := self._take(1)) not in (b"", FRAME, END):
            for _ in self._extension() if kind == EXTENSION else ():
                passed += 1
                _check(passed)
            passed += 1
            _check(passed)
        self._frames += 1
        return kind == FRAME

    def pass_data(self) -> None:
        """Go on behind a frame's pixels."""
        for block in self._take_blocks():
            self._blocks += 1
            self._bytes += len(block)
            if self._blocks > MANY and self._bytes < SMALL * self._blocks:
                raise ValueError(f"a GIF whose data are in blocks of less than {SMALL} bytes")

    def _extension(self) -> Iterator[bytes]:
        """The blocks of an extension that are left once the first ones were read.

        Pillow looks for more even if the first one is empty.
        """
        if (kind := self._take(1)) != COMMENT:
            block = self._take_block()
            if kind == CONTROL and block:
                self.delay = int.from_bytes(block[DELAY], "little") * DELAY_UNIT
            elif kind == APPLICATION and self._frames == 0 and block.startswith(LOOP):
                self._take_block()
        return self._take_blocks()

    def _take_blocks(self) -> Iterator[bytes]:
        """The blocks up to an empty one."""
        return iter(self._take_block, b"")

    def _take_block(self) -> bytes:
        length = self._take(1)
        return self._take(length[0]) if length else b""

    def _take(self, length: int) -> bytes:
        start, self.position = self.position, self.position + length
        return self._data[start : self.position]


def _check(passed: int) -> None:
    if passed > MAX_BLOCKS:
        raise ValueError(f"a GIF of more than {MAX_BLOCKS} blocks before a frame")


def _colour_bytes(flags: bytes) -> int:
    """How many bytes the table of colours has that these flags announce."""
    return 3 << (flags[0] & 7) + 1 if flags[0] & 0x80 else 0
