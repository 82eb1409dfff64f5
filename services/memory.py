"""Give the memory of a picture back to the system once nobody needs it any more."""

import ctypes

M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
LARGE_BLOCK = 8 * 2**20  # bytes; Pillow keeps pictures in blocks of 16 MiB


def return_large_blocks() -> None:
    """Have the C library return large blocks to the system as soon as they are freed.

    Unasked, glibc does so up to a size that grows with each such block that is
    freed; what threads free from then on it keeps for them, after one photo of
    64 megapixels a quarter of a gigabyte each. See mallopt(3). Other libraries
    have no such setting, and are left as they are.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)
