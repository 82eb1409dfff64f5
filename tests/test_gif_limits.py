import io

import pytest
from PIL import Image

from bentoml_img.gif_limits import MANY, MAX_BLOCKS, SMALL, excess, frames
from bentoml_img.images import DamagedImage, open_image
from tests.samples import encode

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
    for right, bottom in frames(data):
        largest = max(largest[0], right), max(largest[1], bottom)
        ends.append(largest)
    assert ends == found


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
    found = [list(frames(data[:end])) for end in range(len(data))]
    assert all(some == [(16, 16), (5, 7)][: len(some)] for some in found)
    assert found[-1] == [(16, 16), (5, 7)]
