import io
import struct

import pytest
from PIL import Image

from bentoml_img.images import DamagedImage, ImageTooLarge, load_rgb, open_image
from bentoml_img.structure.tiff import MAX_STRIPS, MAX_VALUES
from tests.samples import tiled_tiff
from tests.structure.tags import overlapping, tags, tiff


def striped(size: tuple[int, int], strips: int, tag: int = 273) -> bytes:
    """With strips, or tiles of 16 × 16 pixels (`tag` 324), that all have the same bytes."""
    sides = [(322, 3, 1, 16), (323, 3, 1, 16)] if tag == 324 else [(278, 3, 1, 1)]
    start = len(tiff(size, (tag, 4, strips, 0), *sides))
    offsets = struct.pack("<I", start) * strips
    return tiff(size, (tag, 4, strips, start), *sides) + offsets + bytes(max(size[0], 256))


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (tags(MAX_VALUES + 1), "a TIFF of more than"),
        (tags(MAX_VALUES + 1, kind=6), "a TIFF of more than"),
        (tags(1, ">")[:2] + b"\0+" + tags(1, ">")[4:], "a BigTIFF with the first byte"),
        (tags(MAX_VALUES + 1, ">"), "a TIFF of more than"),
        (overlapping(2000, 50_000), "a TIFF whose tags have the same bytes many times"),
        (striped((10, 10), MAX_STRIPS + 1), "a TIFF of more than 10000 strips or tiles"),
        (striped((1, 65_500), 65_500), "a TIFF of more than 10255 strips or tiles"),
        (striped((160, 160), MAX_STRIPS + 101, 324), "a TIFF of more than 10100 strips or tiles"),
        (striped((60_000, 60_000), MAX_VALUES // 2 + 1), "a TIFF of more than 300000 strips"),
    ],
)
def test_small_files_of_much_work_are_refused(data: bytes, what: str) -> None:
    with pytest.raises(DamagedImage, match=what):
        open_image(data)


def test_what_is_just_allowed_is_opened() -> None:
    for data in (
        striped((10, 10), MAX_STRIPS),
        striped((1600, 1600), 100 * 100, 324),
    ):
        assert Image.open(io.BytesIO(data)).size == load_rgb(open_image(data)).size


def test_a_row_may_be_a_strip() -> None:
    assert load_rgb(open_image(striped((400, 20_000), 20_000))).size == (400, 20_000)


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
