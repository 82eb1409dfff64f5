import io
import struct
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bentoml_img.images import (
    FORMATS,
    DamagedImage,
    ImageTooLarge,
    UnsupportedImage,
    encode_jpeg,
    encode_png,
    flatten,
    load_rgb,
    open_image,
    reopen,
    rgb_array,
    upright_size,
)
from tests.samples import encode, huge, jpeg, photo, rgb_profile


def decoded(data: bytes, at_least: int | None = None) -> Image.Image:
    image = load_rgb(open_image(data), at_least)
    assert image.mode == "RGB"
    return image


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference in grey levels of two pictures of one size."""
    assert one.size == other.size
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())


@pytest.mark.parametrize("name", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_keep_every_pixel(name: str) -> None:
    assert difference(decoded(encode(photo(), name)), photo()) == 0


@pytest.mark.parametrize(("name", "tolerance"), [("JPEG", 2), ("WEBP", 3), ("GIF", 6)])
def test_lossy_formats_come_close(name: str, tolerance: float) -> None:
    assert difference(decoded(encode(photo(), name)), photo()) < tolerance


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied(name: str, orientation: int) -> None:
    # How an upright picture has to be stored so that the orientation makes it upright again.
    stored = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = photo() if stored is None else photo().transpose(stored)
    assert difference(decoded(encode(image, name, exif=exif)), photo()) < 4


@pytest.mark.parametrize(
    ("tags", "turned"), [({}, True), ({0x0112: 6}, True), ({0x0112: 1}, False)]
)
def test_a_tiff_may_say_by_xmp_alone_how_it_is_turned(tags: dict[int, int], turned: bool) -> None:
    xmp = {700: b'<rdf:Description tiff:Orientation="6"/>'}
    data = encode(photo(), "TIFF", tiffinfo=xmp | tags)
    assert (decoded(data).size != photo().size) == turned
    assert upright_size(open_image(data)) == decoded(data).size


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_data_does_not_spoil_the_picture(name: str) -> None:
    for exif in (
        b"Exif\0\0nonsense",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\xff",
    ):
        data = encode(photo(), name, exif=exif)
        assert difference(decoded(data), photo()) < 8
        assert upright_size(open_image(data)) == photo().size


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
def test_a_tag_of_a_wrong_type_does_not_spoil_a_turned_picture(name: str) -> None:
    turned_by_90_degrees = (0x0112, 3, 1, 6)
    unit_as_text = (0x0128, 2, 4, int.from_bytes(b"inch", "little"))
    entries = struct.pack("<HHIIHHII", *turned_by_90_degrees, *unit_as_text)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + bytes(4)
    turned = photo().transpose(Image.Transpose.ROTATE_90)
    data = encode(turned, name, exif=exif)
    assert difference(decoded(data), photo()) < 8
    assert upright_size(open_image(data)) == photo().size


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("kind", "count", "value", "turned"),
    [
        (2, 2, b"6\0", False),
        (1, 1, b"6", False),
        (7, 1, b"6", False),
        (3, 1, struct.pack("<H", 9), False),
        (11, 1, struct.pack("<f", 6.5), False),
        (11, 1, struct.pack("<f", 6), True),
    ],
    ids=["text", "bytes", "undefined", "9", "6.5", "6.0"],
)
def test_what_is_no_orientation_turns_neither_picture_nor_size(
    name: str, kind: int, count: int, value: bytes, turned: bool
) -> None:
    entry = struct.pack("<HHI", 0x0112, kind, count) + value.ljust(4, b"\0")
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)
    data = encode(photo(), name, exif=exif)
    assert (decoded(data).size != photo().size) == turned
    assert upright_size(open_image(data)) == decoded(data).size


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_profile_of_rgb_is_kept_and_no_pixel_changes(name: str) -> None:
    options = {"lossless": True} if name == "WEBP" else {}
    picture = decoded(encode(photo(), name, icc_profile=rgb_profile(), **options))
    assert picture.info == {"icc_profile": rgb_profile()}
    assert difference(picture, decoded(encode(photo(), name, **options))) == 0


def test_a_profile_of_other_colours_is_not_kept() -> None:
    profile = rgb_profile().replace(b"RGB ", b"CMYK")
    cmyk = encode(photo().convert("CMYK"), "JPEG", icc_profile=profile)
    assert decoded(cmyk).info == {}
    assert decoded(jpeg(icc_profile=rgb_profile() + bytes(2**20))).info == {}


@pytest.mark.parametrize("name", ["JPEG", "PNG"])
def test_metadata_does_not_come_into_what_is_made_of_a_picture(name: str) -> None:
    stream = io.BytesIO()
    about = PngInfo()
    about.add_text("comment", "secret" * 20_000)  # more than a JPEG's comment may have
    Image.new("RGB", (8, 8)).save(
        stream, name, comment="secret", pnginfo=about, icc_profile=b"secret", exif=Image.Exif()
    )
    picture = load_rgb(open_image(stream.getvalue()))
    for encoded in (encode_jpeg(picture.copy()), encode_png(picture)):
        assert b"secret" not in encoded


def test_transparency_is_laid_over_white() -> None:
    image = Image.new("RGBA", (3, 1))
    for x, alpha in enumerate((0, 51, 255)):
        image.putpixel((x, 0), (0, 100, 255, alpha))
    flat = decoded(encode(image))
    assert [flat.getpixel((x, 0)) for x in range(3)] == [
        (255, 255, 255),
        (204, 224, 255),
        (0, 100, 255),
    ]


def test_grey_with_premultiplied_alpha_is_read() -> None:
    grey = Image.new("LA", (4, 4), (100, 255)).convert("La")
    assert flatten(grey).getpixel((0, 0)) == (100, 100, 100)


def test_grey_with_alpha_is_laid_over_white() -> None:
    image = Image.new("LA", (4, 4), (0, 51))
    assert decoded(encode(image)).getpixel((0, 0)) == (204, 204, 204)


@pytest.mark.parametrize("transparency", [1, bytes([255, 0])])
def test_a_transparent_colour_of_a_palette_becomes_white(transparency: int | bytes) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    flat = decoded(encode(image, transparency=transparency))
    assert [flat.getpixel((x, 0)) for x in (0, 1)] == [(10, 20, 30), (255, 255, 255)]


@pytest.mark.parametrize(("mode", "clear"), [("RGB", (0, 0, 9)), ("L", 0)])
def test_a_transparent_colour_without_a_palette_becomes_white(mode: str, clear: Any) -> None:
    image = Image.new(mode, (2, 1), clear)
    image.putpixel((1, 0), 200 if mode == "L" else (200, 200, 200))
    flat = decoded(encode(image, transparency=clear))
    assert [flat.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (200, 200, 200)]


@pytest.mark.parametrize("name", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(name: str) -> None:
    assert difference(decoded(encode(photo().convert("CMYK"), name)), photo()) < 3


@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_16_bit_grey_keeps_its_range(name: str) -> None:
    grey = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    result = np.asarray(decoded(encode(Image.fromarray(grey), name)))
    np.testing.assert_array_equal(result, np.repeat((grey >> 8)[..., None], 3, axis=2))


def test_16_bit_big_endian_tiff_is_read() -> None:
    grey = np.array([[0, 0x8000, 0xFFFF]], ">u2")
    image = Image.frombytes("I;16B", (3, 1), grey.tobytes())
    assert [p[0] for p in np.asarray(decoded(encode(image, "TIFF")))[0]] == [0, 128, 255]


def grey_tiff(width: int, bits: int, photometric: int, row: bytes) -> bytes:
    """A TIFF of one row, not compressed."""
    tags = {256: width, 257: 1, 258: bits, 259: 1, 262: photometric, 278: 1, 279: len(row)}
    tags[273] = 8 + 2 + 12 * (len(tags) + 1) + 4  # where the row is
    entries = b"".join(struct.pack("<HHIHxx", tag, 3, 1, tags[tag]) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + row


def test_12_bit_tiff_keeps_its_range() -> None:
    row = bytes.fromhex("000 400 800 fff".replace(" ", ""))
    assert [p[0] for p in np.asarray(decoded(grey_tiff(4, 12, 1, row)))[0]] == [0, 64, 128, 255]


def test_16_bit_tiff_whose_zero_is_white_is_no_negative() -> None:
    row = np.array([0, 0x4000, 0xFFFF], "<u2").tobytes()
    assert [p[0] for p in np.asarray(decoded(grey_tiff(3, 16, 0, row)))[0]] == [255, 191, 0]


def test_a_transparent_colour_of_16_bits_becomes_white() -> None:
    grey = Image.fromarray(np.array([[0, 1, 0x8000]], np.uint16))
    data = encode(grey, transparency=0)
    assert [p[0] for p in np.asarray(decoded(data))[0]] == [255, 0, 128]


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_a_tiff_of_numbers_of_which_nobody_knows_what_is_white_is_unsupported(
    kind: type[np.number[Any]],
) -> None:
    image = Image.fromarray(np.array([[0, 1, 255]], kind))
    with pytest.raises(UnsupportedImage, match="not unsigned numbers of 8 or 16 bits"):
        open_image(encode(image, "TIFF"))


@pytest.mark.parametrize("name", ["PNG", "TIFF", "BMP", "GIF"])
def test_one_bit_becomes_black_and_white(name: str) -> None:
    image = photo().convert("1")
    assert difference(decoded(encode(image, name)), image.convert("RGB")) == 0


@pytest.mark.parametrize("name", ["PNG", "JPEG", "TIFF", "BMP"])
def test_grey_becomes_rgb(name: str) -> None:
    image = photo().convert("L")
    assert difference(decoded(encode(image, name)), image.convert("RGB")) < 2


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_compressed_tiff_is_read(compression: str) -> None:
    assert difference(decoded(encode(photo(), "TIFF", compression=compression)), photo()) < 3


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_an_animation_counts(name: str) -> None:
    red, blue = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    options = {"lossless": True} if name == "WEBP" else {}
    data = encode(red, name, save_all=True, append_images=[blue], **options)
    assert decoded(data).getpixel((4, 4)) == (255, 0, 0)


@pytest.mark.parametrize("size", [(641, 480), (480, 641), (2000, 90), (64, 64), (63, 500)])
def test_a_reduced_jpeg_keeps_both_sides_long_enough(size: tuple[int, int]) -> None:
    image = decoded(jpeg(*size), at_least=64)
    shrink = round(size[0] / image.width)
    assert shrink in (1, 2, 4, 8)
    assert all(side >= min(64, full) for side, full in zip(image.size, size, strict=True))
    if min(size) >= 2 * 64:
        assert shrink > 1
    assert difference(image, decoded(jpeg(*size)).resize(image.size, Image.Resampling.BOX)) < 3


def test_a_reduced_jpeg_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decoded(jpeg(640, 320, exif=exif), at_least=80).size == (80, 160)


@pytest.mark.parametrize("name", FORMATS)
def test_a_promise_of_too_many_pixels_is_refused_from_the_header(name: str) -> None:
    with pytest.raises(ImageTooLarge, match=r"more than the 64 megapixels allowed"):
        open_image(huge(name))


def test_the_pixel_limit_is_inclusive() -> None:
    limit = 96 * 64
    assert open_image(jpeg(96, 64), limit).size == (96, 64)
    with pytest.raises(ImageTooLarge, match=r"97.64"):
        open_image(jpeg(97, 64), limit)


def test_a_palette_that_is_missing_is_damage() -> None:
    data = encode(photo(8, 8).quantize(4))
    start = data.index(b"PLTE") - 4
    length = int.from_bytes(data[start : start + 4], "big")
    with pytest.raises(DamagedImage):
        decoded(data[:start] + data[start + length + 12 :])


@pytest.mark.parametrize("name", ["PNG", "BMP", "TIFF"])
def test_a_side_beyond_what_a_jpeg_can_have_is_too_long(name: str) -> None:
    longest = decoded(encode(Image.new("1", (1, 65_500)), name))
    assert decoded(encode_jpeg(longest)).size == (1, 65_500)
    for size in ((1, 65_501), (65_501, 1)):
        with pytest.raises(ImageTooLarge, match="more than 65500 on a side"):
            open_image(encode(Image.new("1", size), name))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n",
        encode(photo(), "PPM"),
        encode(photo(), "ICO"),
        encode(photo(), "JPEG2000"),
        encode(photo(), "PDF"),
        encode(photo(), "EPS"),
    ],
    ids=["empty", "text", "svg", "pdf", "ppm", "ico", "jpeg2000", "a whole pdf", "eps"],
)
def test_other_formats_are_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedImage, match="JPEG, PNG, WEBP, BMP, GIF, TIFF"):
        open_image(data)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_picture_is_damaged(name: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    data = encode(Image.fromarray(noise), name)
    with pytest.raises(DamagedImage, match=r"^the picture is damaged: "):
        decoded(data[: int(len(data) * share)])


def test_a_header_alone_is_no_picture() -> None:
    for data in (jpeg()[:20], encode(photo())[:20], encode(photo(), "WEBP")[:20]):
        with pytest.raises((UnsupportedImage, DamagedImage)):
            decoded(data)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "I;16"])
def test_decoding_needs_little_more_memory_than_the_pixels(mode: str, tmp_path: Path) -> None:
    side = 2500
    picture = tmp_path / "picture.png"
    image = Image.new(mode, (side, side))
    picture.write_bytes(encode(image, transparency=0) if mode == "P" else encode(image))
    program = """
import sys
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from bentoml_img.images import load_rgb, open_image
before = getrusage(RUSAGE_SELF).ru_maxrss
load_rgb(open_image(Path(sys.argv[1]).read_bytes()))
print(getrusage(RUSAGE_SELF).ru_maxrss - before)
"""
    command = [sys.executable, "-c", program, str(picture)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    # Pillow holds four bytes a pixel: one picture decoded, and one turned into RGB.
    assert int(done.stdout) * 1024 < 2.5 * 4 * side * side


def test_pillow_warns_nobody_even_where_warnings_are_errors() -> None:
    program = """
import warnings
from bentoml_img.images import load_rgb, open_image
load_rgb(open_image(bytes.fromhex(input())))
"""
    damaged = jpeg(
        exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0" + struct.pack("<HHII", 0x0112, 3, 99, 9999)
    )
    command = [sys.executable, "-W", "error", "-c", program]
    result = subprocess.run(command, input=damaged.hex(), text=True, capture_output=True)
    assert (result.returncode, result.stderr) == (0, "")


def test_decoding_in_threads_leaves_the_warning_filters_alone() -> None:
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(decoded, [jpeg()] * 64))
    assert list(warnings.filters) == before


@pytest.mark.parametrize("name", FORMATS)
def test_a_picture_can_be_opened_again(name: str) -> None:
    data = encode(photo(), name)
    first = open_image(data)
    again = reopen(first)
    expected = load_rgb(first)
    assert load_rgb(again).tobytes() == expected.tobytes()


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_pictures_that_are_not_rgb_are_named(mode: str) -> None:
    assert rgb_array(photo(8, 6)).shape == (6, 8, 3)
    with pytest.raises(ValueError, match=f"a picture of mode {mode}, not RGB"):
        rgb_array(photo(8, 6).convert(mode))
