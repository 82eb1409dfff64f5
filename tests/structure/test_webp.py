import struct

import pytest

from bentoml_img.images import DamagedImage, open_image
from bentoml_img.structure.chunks import MAX_CHUNKS
from bentoml_img.structure.tiff import MAX_VALUES
from bentoml_img.structure.webp import delays
from tests.samples import encode, photo
from tests.structure.tags import tags


def webp(chunks: bytes) -> bytes:
    data = encode(photo(8, 8), "WEBP") + chunks
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


@pytest.mark.parametrize(
    "data",
    [
        webp(b"none\0\0\0\0" * (MAX_CHUNKS + 99)),
        webp(b"EXIF\x1a\0\0\0" + tags(MAX_VALUES + 1)),
        webp(b"EXIF\x26\0\0\0" + 2 * b"Exif\0\0" + tags(MAX_VALUES + 1)),
    ],
)
def test_small_files_of_much_work_are_refused(data: bytes) -> None:
    with pytest.raises(DamagedImage, match="a WebP of more than"):
        open_image(data)


def animated(milliseconds: list[int]) -> bytes:
    first, *rest = [photo(8 + k, 8).crop((0, 0, 8, 8)) for k in range(len(milliseconds))]
    return encode(first, "WEBP", save_all=True, append_images=rest, duration=milliseconds)


def test_delays_of_frames() -> None:
    data = animated([40, 70_000, 20])
    assert list(delays(data)) == [40, 70_000, 20]
    assert list(delays(encode(photo(8, 8), "WEBP"))) == []


def test_what_looks_like_a_delay_within_a_chunk_is_none() -> None:
    inside = struct.pack("<4sI", b"none", 24) + struct.pack("<4sI16x", b"ANMF", 16)
    assert list(delays(webp(inside))) == []


def test_delays_are_those_as_far_as_the_file_goes() -> None:
    data = animated([40, 60])
    found = [list(delays(data[:end])) for end in range(12, len(data))]
    assert all(some == [40, 60][: len(some)] for some in found)
    assert found[-1] == [40, 60]


def test_delays_behind_too_many_chunks_are_not_looked_for() -> None:
    with pytest.raises(ValueError, match="a WebP of more than"):
        list(delays(webp(b"none\0\0\0\0" * (MAX_CHUNKS + 99))))
