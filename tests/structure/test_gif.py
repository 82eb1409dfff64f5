import io

import pytest
from PIL import Image

from bentoml_img.images import DamagedImage, load_rgb, open_image
from bentoml_img.structure.gif import MANY, MAX_BLOCKS, SMALL, Frame, excess, frames
from tests.samples import encode, photo

HEAD = 13 + 3 * 256  # with the colours
LARGE = (3000, 20)
LOOP = b"!\xff\x0bNETSCAPE2.0"

# What is no part of a GIF, or an extension that ends at once, behind which Pillow takes the `;`
# (59) for the length of a block, and not for the end.
ODD = {
    "bytes of no block": b"odd",
    "an extension without blocks": b"!\xf9\0;" + bytes(59) + b"\0",
    "a comment without blocks": b"!\xfe\0",
    "a loop without a number": LOOP + b"\0;" + bytes(59) + b"\0",
}


def gif(sizes: list[tuple[int, int]], odd: bytes = b"") -> bytes:
    """A frame of each of these sizes, with `odd` before each; the first size is the picture's."""
    files = [encode(Image.new("1", size), "GIF") for size in sizes]
    return files[0][:HEAD] + b"".join(odd + file[HEAD:-1] for file in files) + b";"


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_the_frames_are_those_that_pillow_finds(odd: bytes) -> None:
    data = gif([(16, 16), LARGE, (5, 7)], odd)
    image, found = Image.open(io.BytesIO(data)), [(16, 16)]
    for k in range(1, getattr(image, "n_frames", 1)):
        image.seek(k)
        found.append(image.size)  # of all frames up to this one
    largest, ends = (0, 0), []
    for frame in frames(data):
        largest = max(largest[0], frame.right), max(largest[1], frame.bottom)
        ends.append(largest)
    assert ends == found


def control(hundredths: int) -> bytes:
    return b"!\xf9\4\0" + hundredths.to_bytes(2, "little") + b"\0\0"


@pytest.mark.parametrize(
    ("before", "delay"),
    [
        (b"", 0),
        (control(7), 70),
        (control(65_535), 655_350),
        (control(7) + control(9), 90),
        (control(7) + b"!\xfe\1a\0", 70),
        (b"!\xfe" + bytes([len(control(7))]) + control(7) + b"\0", 0),
        (b"!\xf9\0\0", 0),
        (control(7) + b"!\xf9\0\0", 70),
        (control(7)[:-1] + b"\4\0\xff\xff\0\0", 70),
    ],
    ids=[
        "none",
        "one",
        "the longest",
        "two, of which the last counts",
        "with a comment between it and the frame",
        "within a comment",
        "empty",
        "one before an empty one",
        "of two blocks, of which the first counts",
    ],
)
def test_the_delay_is_the_one_that_pillow_finds(before: bytes, delay: int) -> None:
    one = gif([(16, 16)])
    data = one[:HEAD] + control(3) + one[HEAD:-1] + before + one[HEAD:-1] + control(5) + b";"
    image = Image.open(io.BytesIO(data))
    image.seek(1)
    assert image.info.get("duration", 0) == delay
    assert list(frames(data)) == [Frame(16, 16, 30), Frame(16, 16, delay)]


@pytest.mark.parametrize("extension", [b"\xfe", b"\xff"], ids=["comment", "application"])
def test_blocks_before_the_first_frame_have_a_limit(extension: bytes) -> None:
    data = encode(photo(8, 8), "GIF")
    start = data.index(b",")

    def with_blocks(number: int) -> bytes:
        return data[:start] + b"!" + extension + b"\1a" * number + b"\0" + data[start:]

    assert load_rgb(open_image(with_blocks(MAX_BLOCKS - 9))).size == (8, 8)
    with pytest.raises(DamagedImage, match="a GIF of more than"):
        open_image(with_blocks(MAX_BLOCKS + 1))


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("block", [b"!\xfe\1,\0", b"x"], ids=["comments", "bytes"])
def test_blocks_behind_something_odd_count_too(odd: bytes, block: bytes) -> None:
    data = gif([(16, 16)], odd + block * (MAX_BLOCKS + 1))
    with pytest.raises(DamagedImage, match="a GIF of more than 100000 blocks before a frame"):
        open_image(data)


def test_blocks_before_a_later_frame_count_too() -> None:
    data = gif([(16, 16), (16, 16)])
    data = data[:-1] + b"!\xfe" + b"\1," * (MAX_BLOCKS + 1) + b"\0" + data[HEAD:]
    assert excess(data) is None, "it is of the frames behind the first one"
    with pytest.raises(ValueError, match="blocks before a frame"):
        list(frames(data))


def test_data_are_not_in_many_small_blocks() -> None:
    data = gif([(16, 16)])
    small = b"\1x" * MANY + b"\1x\0;"
    with pytest.raises(ValueError, match=f"blocks of less than {SMALL} bytes"):
        list(frames(data[: HEAD + 11] + small))


def test_a_file_that_is_cut_short_has_the_frames_up_to_there() -> None:
    data = gif([(16, 16), (5, 7)])
    found, whole = [list(frames(data[:end])) for end in range(len(data))], list(frames(data))
    assert whole == [Frame(16, 16, 0), Frame(5, 7, 0)]
    assert all(some == whole[: len(some)] for some in found)
    assert found[-1] == whole
