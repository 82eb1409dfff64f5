import io
import struct

import pytest
from PIL import Image

from bentoml_img.images import DamagedImage, load_rgb, open_image
from bentoml_img.structure.chunks import MAX_CHUNKS
from bentoml_img.structure.png import EXIF_TEXT, MAX_EXIF_TEXT, delays
from bentoml_img.structure.tiff import MAX_VALUES
from tests.samples import encode, photo, png_chunk
from tests.structure.tags import overlapping, tags, tiff


def png(chunks: bytes) -> bytes:
    data = encode(photo(8, 8), "PNG")
    return data[:33] + chunks + data[33:]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (png(png_chunk(b"prVt", b"") * (MAX_CHUNKS + 99)), "a PNG of more than"),
        (png(png_chunk(b"eXIf", tags(MAX_VALUES + 1))), "a PNG of more than"),
        (png(png_chunk(b"tEXt", EXIF_TEXT + bytes(MAX_EXIF_TEXT))), "a PNG of more than 1048576"),
        (
            png(png_chunk(b"eXIf", overlapping(2000, 50_000))),
            "a PNG whose tags have the same bytes",
        ),
    ],
)
def test_small_files_of_much_work_are_refused(data: bytes, what: str) -> None:
    with pytest.raises(DamagedImage, match=what):
        open_image(data)


def test_what_is_just_allowed_is_opened() -> None:
    for data in (
        png(png_chunk(b"prVt", b"") * (MAX_CHUNKS - 9)),
        png(png_chunk(b"eXIf", tags(1, kind=7))),
        png(png_chunk(b"tEXt", b"Comment\0" + b"a" * MAX_EXIF_TEXT)),
        png(png_chunk(b"eXIf", tiff((8, 8), (270, 2, 2**32 - 1, 8), (271, 2, 2**31, 8)))),
    ):
        assert Image.open(io.BytesIO(data)).size == load_rgb(open_image(data)).size


def animated(milliseconds: list[int]) -> bytes:
    first, *rest = [photo(8 + k, 8).crop((0, 0, 8, 8)) for k in range(len(milliseconds))]
    return encode(first, "PNG", save_all=True, append_images=rest, duration=milliseconds)


def test_delays_of_frames() -> None:
    data = animated([40, 1500, 20])
    assert list(delays(data)) == pytest.approx([40, 1500, 20])
    assert list(delays(encode(photo(8, 8), "PNG"))) == []


def test_a_delay_of_nothing_is_in_hundredths() -> None:
    data = png(png_chunk(b"fcTL", struct.pack(">20x2H2x", 7, 0)))
    assert list(delays(data)) == [70]


def test_what_looks_like_a_delay_within_a_chunk_is_none() -> None:
    inside = png_chunk(b"tEXt", b"Comment\0" + png_chunk(b"fcTL", bytes(26)))
    assert list(delays(png(inside))) == []


def test_delays_are_those_as_far_as_the_file_goes() -> None:
    data = animated([40, 60])
    found = [list(delays(data[:end])) for end in range(len(data))]
    assert all(some == [40, 60][: len(some)] for some in found)
    assert found[-1] == [40, 60]


def test_delays_behind_too_many_chunks_are_not_looked_for() -> None:
    with pytest.raises(ValueError, match="a PNG of more than"):
        list(delays(png(png_chunk(b"prVt", b"") * (MAX_CHUNKS + 99))))
