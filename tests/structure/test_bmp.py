import io
import struct

import pytest
from PIL import Image

from bentoml_img.images import DamagedImage, load_rgb, open_image
from bentoml_img.structure.bmp import MAX_RUNS
from tests.samples import encode, photo


def bmp(size: tuple[int, int], runs: bytes, compression: int = 1) -> bytes:
    """In run lengths, of 8 (1) or of 4 bits (2) a pixel; from the top down if `size` says so."""
    bits = 8 // compression
    colours = encode(Image.new("P", (1, 1)), "BMP")[54 : 54 + (4 << bits)]
    lengths = compression, len(runs), 0, 0, 0, 0
    header = struct.pack("<IiiHHIIiiII", 40, *size, 1, bits, *lengths)
    start = 14 + len(header) + len(colours)
    return struct.pack("<2sIII", b"BM", start + len(runs), 0, start) + header + colours + runs


@pytest.mark.parametrize(
    "data",
    [
        bmp((65_500, 977), b"\1\0\0\0" * 977),
        bmp((1000, -1001), b"\0\1"),
        bmp((1001, 1000), b"\0\1", 2),
        bmp((8, 8), bytes(MAX_RUNS)),
    ],
)
def test_small_files_of_much_work_are_refused(data: bytes) -> None:
    with pytest.raises(DamagedImage, match="an RLE-compressed BMP of more than"):
        open_image(data)


def test_what_is_just_allowed_is_opened() -> None:
    for data in (
        bmp((1000, 1000), b"\1\0\0\0" * 1000),
        bmp((1000, -1000), b"\1\0\0\0" * 1000, 2),
    ):
        assert Image.open(io.BytesIO(data)).size == load_rgb(open_image(data)).size


def test_a_bmp_that_is_not_in_run_lengths_may_be_large() -> None:
    assert open_image(encode(photo(1500, 1000), "BMP")).size == (1500, 1000)
    oldest = (
        struct.pack("<2sIIIIHHHH", b"BM", 0, 0, 26, 12, 1200, 900, 1, 24) + b"\1\0\0\0" * 810_000
    )
    assert load_rgb(open_image(oldest)).size == (1200, 900)
