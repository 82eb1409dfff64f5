"""BMPs in run lengths, which Pillow decodes in Python: small files, and minutes of work."""

from struct import Struct

MAX_RUNS = 1_000_000  # pixels that run lengths may stand for, and bytes of such a file

SIGNATURE = b"BM"
HEAD = Struct("<2sI2HI")  # BITMAPFILEHEADER: signature, length, 0, 0, where the pixels are
INFO = Struct("<2Ii2HI")  # BITMAPINFOHEADER: its length, sides, planes, bits, compression, …
CORE_LENGTH = 12  # of the oldest header, which has no compression
RLE8, RLE4 = 1, 2


def excess(data: bytes) -> str | None:
    """What a BMP has more of than it may, if it does."""
    if len(data) < HEAD.size + INFO.size:
        return None
    length, width, height, _, _, compression = INFO.unpack_from(data, HEAD.size)
    if length == CORE_LENGTH or compression not in (RLE8, RLE4):
        return None
    pixels = width * abs(height)  # which is negative where rows go from the top down
    if max(pixels, len(data)) <= MAX_RUNS:
        return None
    return f"an RLE-compressed BMP of more than {MAX_RUNS} pixels or bytes"
