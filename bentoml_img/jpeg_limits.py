"""JPEGs that are small files and endless work: refused by what they are made of.

libjpeg decodes each scan over all pixels: encoders write one, or about ten of a
progressive picture, but ten bytes are enough for another, and a small file of
them keeps a decoder busy for hours. Pillow keeps each segment of metadata, the
smallest of which are four bytes, and passes over what is between them byte by byte.
"""

import re
from collections.abc import Iterator

MAX_SCANS = 100
MAX_SEGMENTS = 5000  # of at most 64 KiB each: what profiles and depth maps take are hundreds
MAX_BETWEEN = 64 * 1024  # bytes between segments: most files have none, some cameras' hundreds
MAX_EXIF = 16  # segments, where one is usual: Pillow joins them, and makes numbers of their values

SIGNATURE = b"\xff\xd8\xff"
END, SCAN, APP1 = 0xD9, 0xDA, 0xE1

# In a scan's data stand bytes of 255 with a zero behind, and marks to begin again at: no markers.
_MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd8])")
# The markers with a length behind them, by which Pillow and libjpeg skip the segment.
_WITH_LENGTH = frozenset({*range(0xC0, 0xD0), *range(0xDA, 0xF0), 0xFE} - {0xC8})


def excess(data: bytes) -> str | None:
    """What a JPEG has more of than it may, if it does."""
    many_scans = data.count(bytes((0xFF, SCAN))) > MAX_SCANS
    scans = exif = between = 0
    for number, (marker, start, passed) in enumerate(_markers(data)):
        between += 0 if scans else passed
        if between > MAX_BETWEEN:
            return f"a JPEG of more than {MAX_BETWEEN} bytes between its segments"
        if number > MAX_SEGMENTS:
            return f"a JPEG of more than {MAX_SEGMENTS} segments"
        if marker == APP1 and data.startswith(b"Exif\0\0", start + 2):
            exif += 1
            if exif > MAX_EXIF:
                return f"a JPEG of more than {MAX_EXIF} segments of EXIF data"
        elif marker == SCAN:
            scans += 1
            if not many_scans:
                return None
            if scans > MAX_SCANS:
                return f"a JPEG of more than {MAX_SCANS} scans"
        elif marker == END and scans:
            return None
    return None


def _markers(data: bytes) -> Iterator[tuple[int, int, int]]:
    """The markers before and between the scans' data, where what follows each begins, and how many
    bytes there are between it and the segment before. The last one is END, if only in thought.
    """
    position = len(SIGNATURE) - 1
    while found := _MARKER.search(data, position):
        marker = found[1][0]
        yield marker, found.end(), found.start() - position
        position = found.end()
        if marker in _WITH_LENGTH:
            position += max(2, int.from_bytes(data[position : position + 2]))
    yield END, len(data), max(0, len(data) - position)
