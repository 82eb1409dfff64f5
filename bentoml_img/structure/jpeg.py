"""JPEGs: their segments and scans, and limits of these.

libjpeg decodes each scan over all pixels. Encoders write one scan, or about ten for a
progressive picture, but ten bytes are enough for another: a small file can keep a
decoder busy for hours. Pillow keeps each segment of metadata, the smallest of which
have four bytes, and reads what lies between segments byte by byte.
"""

import re
from collections.abc import Iterator

MAX_SCANS = 100
MAX_SEGMENTS = 5000  # of at most 64 KiB each: profiles and depth maps take hundreds
MAX_BETWEEN = 64 * 1024  # bytes between segments: most files have none, those of some cameras 100s
MAX_EXIF = 16  # segments, where one is usual: Pillow joins them and makes numbers of their values

SIGNATURE = b"\xff\xd8\xff"
END, SCAN, APP1 = 0xD9, 0xDA, 0xE1

# Within a scan's data, 255 is followed by 0 or by the number of a restart marker: neither counts.
_MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd8])")
# The markers that a length follows, by which Pillow and libjpeg skip the segment.
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
    """The markers before and between the scans' data, each with the position behind it, and with
    the number of bytes between it and the segment before.

    The last is always END, also where the file lacks it.
    """
    position = len(SIGNATURE) - 1
    while found := _MARKER.search(data, position):
        marker = found[1][0]
        yield marker, found.end(), found.start() - position
        position = found.end()
        if marker in _WITH_LENGTH:
            position += max(2, int.from_bytes(data[position : position + 2]))
    yield END, len(data), max(0, len(data) - position)
