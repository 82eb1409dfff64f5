import io
import struct
import zlib

import pytest
from PIL import Image

from bentoml_img.decode_limits import (
    MAX_CHUNKS,
    MAX_EXIF_TEXT,
    MAX_RUNS,
    MAX_STRIPS,
    MAX_VALUES,
    PNG_EXIF_TEXT,
    excess,
)
from bentoml_img.gif_limits import MAX_BLOCKS
from bentoml_img.images import FORMATS, DamagedImage, ImageTooLarge, load_rgb, open_image
from bentoml_img.jpeg_limits import MAX_BETWEEN
from tests.samples import encode, jpeg, photo, tiled_tiff


def gif(blocks: bytes, extension: bytes = b"\xfe") -> bytes:
    """By default with a comment."""
    data = encode(photo(8, 8), "GIF")
    start = data.index(b",")
    return data[:start] + b"!" + extension + blocks + b"\0" + data[start:]


def chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def png(chunks: bytes) -> bytes:
    data = encode(photo(8, 8), "PNG")
    return data[:33] + chunks + data[33:]


def webp(chunks: bytes) -> bytes:
    data = encode(photo(8, 8), "WEBP") + chunks
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


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


def striped(size: tuple[int, int], strips: int, tag: int = 273) -> bytes:
    """With strips, or tiles of 16 × 16 pixels (`tag` 324), that all have the same bytes."""
    sides = [(322, 3, 1, 16), (323, 3, 1, 16)] if tag == 324 else [(278, 3, 1, 1)]
    start = len(tiff(size, (tag, 4, strips, 0), *sides))
    offsets = struct.pack("<I", start) * strips
    return tiff(size, (tag, 4, strips, start), *sides) + offsets + bytes(max(size[0], 256))


def overlapping(tags: int, length: int) -> bytes:
    """With so many tags of `length` bytes, the same for all of them."""
    return tiff((8, 8), *((1000 + k, 1, length, 8) for k in range(tags))) + bytes(length)


def bmp(size: tuple[int, int], runs: bytes, compression: int = 1) -> bytes:
    """In run lengths, of 8 (1) or of 4 bits (2) a pixel; from the top down if `size` says so."""
    bits = 8 // compression
    colours = encode(Image.new("P", (1, 1)), "BMP")[54 : 54 + (4 << bits)]
    lengths = compression, len(runs), 0, 0, 0, 0
    header = struct.pack("<IiiHHIIiiII", 40, *size, 1, bits, *lengths)
    start = 14 + len(header) + len(colours)
    return struct.pack("<2sIII", b"BM", start + len(runs), 0, start) + header + colours + runs


def padded(padding: bytes) -> bytes:
    """A JPEG with bytes between two segments."""
    data = jpeg(8, 8)
    table = data.index(b"\xff\xdb")
    return data[:table] + padding + data[table:]


@pytest.mark.parametrize("name", FORMATS)
def test_what_encoders_write_is_not_endless(name: str) -> None:
    assert excess(encode(photo(300, 200), name)) is None


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (gif(b"\x01a" * (MAX_BLOCKS + 1)), "a GIF of more than"),
        (gif(b"\x01a" * (MAX_BLOCKS + 1), b"\xff"), "a GIF of more than"),
        (png(chunk(b"prVt", b"") * (MAX_CHUNKS + 99)), "a PNG of more than"),
        (png(chunk(b"eXIf", tags(MAX_VALUES + 1))), "a PNG of more than"),
        (png(chunk(b"tEXt", PNG_EXIF_TEXT + bytes(MAX_EXIF_TEXT))), "a PNG of more than 1048576"),
        (webp(b"none\0\0\0\0" * (MAX_CHUNKS + 99)), "a WebP of more than"),
        (webp(b"EXIF\x1a\0\0\0" + tags(MAX_VALUES + 1)), "a WebP of more than"),
        (webp(b"EXIF\x26\0\0\0" + 2 * b"Exif\0\0" + tags(MAX_VALUES + 1)), "a WebP of more than"),
        (tags(MAX_VALUES + 1), "a TIFF of more than"),
        (tags(MAX_VALUES + 1, kind=6), "a TIFF of more than"),
        (tags(1, ">")[:2] + b"\0+" + tags(1, ">")[4:], "a BigTIFF with the first byte"),
        (tags(MAX_VALUES + 1, ">"), "a TIFF of more than"),
        (overlapping(2000, 50_000), "a TIFF whose tags have the same bytes many times"),
        (png(chunk(b"eXIf", overlapping(2000, 50_000))), "a PNG whose tags have the same bytes"),
        (striped((10, 10), MAX_STRIPS + 1), "a TIFF of more than 10000 strips or tiles"),
        (striped((1, 65_500), 65_500), "a TIFF of more than 10255 strips or tiles"),
        (striped((160, 160), MAX_STRIPS + 101, 324), "a TIFF of more than 10100 strips or tiles"),
        (striped((60_000, 60_000), MAX_VALUES // 2 + 1), "a TIFF of more than 300000 strips"),
        (bmp((65_500, 977), b"\1\0\0\0" * 977), "an RLE-compressed BMP of more than"),
        (bmp((1000, -1001), b"\0\1"), "an RLE-compressed BMP of more than"),
        (bmp((1001, 1000), b"\0\1", 2), "an RLE-compressed BMP of more than"),
        (bmp((8, 8), bytes(MAX_RUNS)), "an RLE-compressed BMP of more than"),
        (padded(b"\xff" * (MAX_BETWEEN + 1)), "a JPEG of more than 65536 bytes between"),
        (padded(b"\xff\0" * MAX_BETWEEN), "a JPEG of more than 65536 bytes between"),
        (padded(b"\xff\xd0" * MAX_BETWEEN), "a JPEG of more than 65536 bytes between"),
        (padded((bytes(30_000) + b"\xff\xfe\0\2") * 3), "a JPEG of more than 65536 bytes between"),
        (jpeg()[:3] + b"\xff" * MAX_BETWEEN, "a JPEG of more than 65536 bytes between"),
    ],
)
def test_small_files_of_much_work_are_refused(data: bytes, what: str) -> None:
    with pytest.raises(DamagedImage, match=what):
        open_image(data)


def test_what_is_just_allowed_is_opened() -> None:
    for data in (
        gif(b"\x01a" * (MAX_BLOCKS - 9)),
        gif(b"\x01a" * (MAX_BLOCKS - 9), b"\xff"),
        png(chunk(b"prVt", b"") * (MAX_CHUNKS - 9)),
        png(chunk(b"eXIf", tags(1, kind=7))),
        png(chunk(b"tEXt", b"Comment\0" + b"a" * MAX_EXIF_TEXT)),
        png(chunk(b"eXIf", tiff((8, 8), (270, 2, 2**32 - 1, 8), (271, 2, 2**31, 8)))),
        striped((10, 10), MAX_STRIPS),
        striped((1600, 1600), 100 * 100, 324),
        bmp((1000, 1000), b"\1\0\0\0" * 1000),
        bmp((1000, -1000), b"\1\0\0\0" * 1000, 2),
        padded(b"\xff" * MAX_BETWEEN),
        jpeg(8, 8) + b"\xff\xd0" * MAX_BETWEEN,
    ):
        assert Image.open(io.BytesIO(data)).size == load_rgb(open_image(data)).size


def test_a_row_may_be_a_strip() -> None:
    assert load_rgb(open_image(striped((400, 20_000), 20_000))).size == (400, 20_000)


def test_a_bmp_that_is_not_in_run_lengths_may_be_large() -> None:
    assert open_image(encode(photo(1500, 1000), "BMP")).size == (1500, 1000)
    oldest = (
        struct.pack("<2sIIIIHHHH", b"BM", 0, 0, 26, 12, 1200, 900, 1, 24) + b"\1\0\0\0" * 810_000
    )
    assert load_rgb(open_image(oldest)).size == (1200, 900)


@pytest.mark.parametrize("name", FORMATS)
def test_what_stands_behind_a_picture_does_no_harm(name: str) -> None:
    assert excess(encode(photo(8, 8), name) + bytes(2**20)) is None


@pytest.mark.parametrize("name", FORMATS)
def test_a_beginning_is_told_from_nothing(name: str) -> None:
    data = encode(photo(30, 20), name)
    assert all(excess(data[:end]) is None for end in range(min(len(data), 300)))


@pytest.mark.parametrize("kind", [4, 16, 17])
@pytest.mark.parametrize(
    ("size", "tile"),
    [
        ((64, 64), (24_000, 24_000)),
        ((64, 64), (1040, 1024)),
        ((65_488, 1), (16, 65_536)),  # 4,093 of them
        ((65_488, 1), (65_488, 1024)),
    ],
)
def test_tiles_far_larger_than_the_picture_are_refused(
    size: tuple[int, int], tile: tuple[int, int], kind: int
) -> None:
    with pytest.raises(ImageTooLarge, match=f"in tiles of {tile[0]}×{tile[1]}, far larger"):
        open_image(tiled_tiff(size, tile, kind))


@pytest.mark.parametrize("kind", [4, 16])
@pytest.mark.parametrize(
    ("size", "tile"),
    [((60, 40), (64, 48)), ((60, 40), (1024, 1024)), ((1500, 1201), (1504, 1216))],
)
def test_tiles_that_a_picture_needs_are_read(
    size: tuple[int, int], tile: tuple[int, int], kind: int
) -> None:
    assert load_rgb(open_image(tiled_tiff(size, tile, kind))).size == size


def test_a_tag_that_is_there_twice_counts_by_the_larger_one() -> None:
    data = tiled_tiff((64, 64), (64, 64))
    depth = struct.pack("<HHII", 258, 4, 1, 8)
    assert data.count(depth) == 1
    with pytest.raises(ImageTooLarge, match="in tiles of 4000×64"):
        open_image(data.replace(depth, struct.pack("<HHII", 322, 4, 1, 4000)))
