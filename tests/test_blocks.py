import io
import struct
import zlib

import pytest
from PIL import Image

from bentoml_img.blocks import MAX_BLOCKS, MAX_CHUNKS, MAX_COMMENT, MAX_VALUES, endless
from bentoml_img.images import FORMATS, DamagedImage, ImageTooLarge, load_rgb, open_image
from tests.samples import encode, photo, tiled_tiff


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


@pytest.mark.parametrize("name", FORMATS)
def test_what_encoders_write_is_not_endless(name: str) -> None:
    assert endless(encode(photo(300, 200), name)) is None


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (gif(b"\x01a" * (MAX_COMMENT + 1)), "a GIF of more than"),
        (gif(b"\x01a" * (MAX_BLOCKS + 1), b"\xff"), "a GIF of more than"),
        (png(chunk(b"prVt", b"") * (MAX_CHUNKS + 1)), "a PNG of more than"),
        (png(chunk(b"eXIf", tags(MAX_VALUES + 1))), "a PNG of more than"),
        (webp(b"none\0\0\0\0" * (MAX_CHUNKS + 1)), "a WebP of more than"),
        (webp(b"EXIF\x1a\0\0\0" + tags(MAX_VALUES + 1)), "a WebP of more than"),
        (webp(b"EXIF\x26\0\0\0" + 2 * b"Exif\0\0" + tags(MAX_VALUES + 1)), "a WebP of more than"),
        (tags(MAX_VALUES + 1), "a TIFF of more than"),
        (tags(MAX_VALUES + 1, kind=6), "a TIFF of more than"),
        (tags(MAX_VALUES + 1, ">")[:2] + b"\0+" + tags(MAX_VALUES + 1, ">")[4:], "a TIFF of more"),
        (tags(MAX_VALUES + 1, ">"), "a TIFF of more than"),
    ],
)
def test_small_files_of_much_work_are_refused(data: bytes, what: str) -> None:
    with pytest.raises(DamagedImage, match=what):
        open_image(data)


def test_what_is_just_allowed_is_opened() -> None:
    for data in (
        gif(b"\x01a" * MAX_COMMENT),
        gif(b"\x01a" * MAX_BLOCKS, b"\xff"),
        gif(b"\x01a" * MAX_COMMENT + b"\0!\xfe\x01a", b"\xff"),
        png(chunk(b"prVt", b"") * (MAX_CHUNKS - 9)),
        png(chunk(b"eXIf", tags(1, kind=7))),
    ):
        assert Image.open(io.BytesIO(data)).size == open_image(data).size


@pytest.mark.parametrize("name", FORMATS)
def test_what_stands_behind_a_picture_does_no_harm(name: str) -> None:
    assert endless(encode(photo(8, 8), name) + bytes(2**20)) is None


@pytest.mark.parametrize("name", FORMATS)
def test_a_beginning_is_told_from_nothing(name: str) -> None:
    data = encode(photo(30, 20), name)
    assert all(endless(data[:end]) is None for end in range(min(len(data), 300)))


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
