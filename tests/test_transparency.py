import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bentoml_img.images import load_rgb, open_image, reopen
from bentoml_img.video.reading import open_video
from tests.samples import encode, png_chunk

GREY, RGB = 0, 2  # a PNG's types of colour
WHITE = (255, 255, 255)


def png(bits: int, colour: int, row: bytes, width: int, *clear: int) -> bytes:
    """A PNG of one row, in which the colour `clear` is transparent."""
    header = struct.pack(">IIBBBBB", width, 1, bits, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"tRNS", struct.pack(f">{len(clear)}H", *clear))
        + png_chunk(b"IDAT", zlib.compress(b"\0" + row))
        + png_chunk(b"IEND", b"")
    )


def grey(*levels: int) -> list[tuple[int, int, int]]:
    return [(level, level, level) for level in levels]


ONE, OTHER = (0x1234, 0x5678, 0x9ABC), (0x3412, 0x7856, 0xBC9A)
CASES = {
    "1 bit": (png(1, GREY, b"\x40", 2, 0), [WHITE, WHITE]),
    "2 bits": (png(2, GREY, b"\x1b", 4, 2), grey(0, 85, 255, 255)),
    "2 bits, white": (png(2, GREY, b"\x1b", 4, 0), grey(255, 85, 170, 255)),
    "2 bits, and more that do not count": (png(2, GREY, b"\x1b", 4, 0x102), grey(0, 85, 255, 255)),
    "4 bits": (png(4, GREY, b"\x0a\xf3", 4, 10), grey(0, 255, 255, 51)),
    "8 bits": (png(8, GREY, b"\x0a\x20", 2, 10), grey(255, 32)),
    "16 bits": (png(16, GREY, b"\x0a\x20\x0a\x21", 2, 0x0A20), grey(255, 10)),
    "RGB of 8 bits": (png(8, RGB, b"\1\2\3\1\2\4", 2, 1, 2, 3), [WHITE, (1, 2, 4)]),
    "RGB of 16 bits": (
        png(16, RGB, struct.pack(">6H", *ONE, *OTHER), 2, *ONE),
        [WHITE, (0x34, 0x78, 0xBC)],
    ),
}


def colours(image: Image.Image) -> list[tuple[int, ...]]:
    return [tuple(pixel) for pixel in np.asarray(image)[0].tolist()]


@pytest.mark.parametrize(("data", "expected"), CASES.values(), ids=CASES)
def test_the_transparent_colour_of_a_png_becomes_white(
    tmp_path: Path, data: bytes, expected: list[tuple[int, int, int]]
) -> None:
    image = open_image(data)
    again = reopen(image)
    assert colours(load_rgb(image)) == colours(load_rgb(again)) == expected
    (tmp_path / "a.png").write_bytes(data)
    with open_video(tmp_path / "a.png") as video:
        (frame,) = video
    assert colours(frame.image) == expected


def test_a_text_of_the_same_name_is_no_colour() -> None:
    text = PngInfo()
    text.add_text("transparency", "none")
    data = encode(Image.new("L", (4, 4)), pnginfo=text)
    start = data.index(b"IHDR") + 12
    assert data[start] == 8
    # As it is for 8 bits: a picture, or one that is damaged; no other error.
    for bits in (2, 8):
        header = data[start - 8 : start] + bytes([bits]) + data[start + 1 : start + 5]
        whole = data[:8] + png_chunk(b"IHDR", header) + data[8 + 25 :]
        assert open_image(whole).size == (4, 4)
