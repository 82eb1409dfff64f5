import io

import pytest
from PIL import Image

from bentoml_img.images import DamagedImage, load_rgb, open_image
from bentoml_img.structure.jpeg import MAX_BETWEEN, excess
from tests.samples import jpeg


def padded(padding: bytes) -> bytes:
    """A JPEG with bytes between two segments."""
    data = jpeg(8, 8)
    table = data.index(b"\xff\xdb")
    return data[:table] + padding + data[table:]


@pytest.mark.parametrize(
    "data",
    [
        padded(b"\xff" * (MAX_BETWEEN + 1)),
        padded(b"\xff\0" * MAX_BETWEEN),
        padded(b"\xff\xd0" * MAX_BETWEEN),
        padded((bytes(30_000) + b"\xff\xfe\0\2") * 3),
        jpeg()[:3] + b"\xff" * MAX_BETWEEN,
    ],
)
def test_small_files_of_much_work_are_refused(data: bytes) -> None:
    with pytest.raises(DamagedImage, match="a JPEG of more than 65536 bytes between"):
        open_image(data)


def test_what_is_just_allowed_is_opened() -> None:
    for data in (
        padded(b"\xff" * MAX_BETWEEN),
        jpeg(8, 8) + b"\xff\xd0" * MAX_BETWEEN,
    ):
        assert Image.open(io.BytesIO(data)).size == load_rgb(open_image(data)).size


@pytest.mark.parametrize("progressive", [True, False])
def test_a_jpeg_of_endless_scans_is_refused(progressive: bool) -> None:
    data = jpeg(progressive=progressive)
    scan = data[data.rindex(b"\xff\xda") : -2]
    assert excess(data) is None
    with pytest.raises(DamagedImage, match="more than 100 scans"):
        open_image(data[:-2] + 200 * scan + data[-2:])


@pytest.mark.parametrize(
    "segment", [b"\xff\xe5\x00\x02", b"\xff\xfe\x00\x02", b"\xff\xd9\xff\xe1\0\2"]
)
def test_a_jpeg_of_endless_metadata_is_refused(segment: bytes) -> None:
    data = jpeg()
    with pytest.raises(DamagedImage, match="more than 5000 segments"):
        open_image(data[:2] + 6000 * segment + data[2:])


def test_a_jpeg_of_much_exif_data_is_refused() -> None:
    data = jpeg()
    segment = b"\xff\xe1\x00\x0aExif\0\0ab"
    assert open_image(data[:2] + 16 * segment + data[2:]).size == (96, 64)
    with pytest.raises(DamagedImage, match="more than 16 segments of EXIF data"):
        open_image(data[:2] + 17 * segment + data[2:])


def test_a_video_behind_a_photo_is_none_of_its_scans() -> None:
    """Telephones put one there."""
    assert excess(jpeg() + 500 * b"\xff\xda\xff\xe1") is None
    profile = jpeg(icc_profile=500 * b"\xff\xda\x00\x08\xff\xe1")
    assert excess(profile) is None
