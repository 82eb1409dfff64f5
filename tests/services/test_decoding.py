import asyncio
import threading

import pytest
from PIL import Image

from bentoml_img.images import DamagedImage, load_rgb, open_image
from services.decoding import INLINE_BYTES, INLINE_PIXELS, Decoder
from services.errors import Overloaded
from tests.samples import encode, jpeg, photo
from tests.services.asgi import run

SMALL = jpeg(32, 32)
LARGE = jpeg(640, 480)
LONG = encode(photo(32, 32)) + bytes(INLINE_BYTES)


def thread_of(image: Image.Image) -> threading.Thread:
    load_rgb(image)
    return threading.current_thread()


@pytest.mark.parametrize(
    ("data", "inline"),
    [(SMALL, True), (LARGE, False), (LONG, False)],
    ids=["small", "large", "a small picture in a long file"],
)
def test_only_what_is_quick_is_decoded_on_the_spot(data: bytes, inline: bool) -> None:
    async def main() -> None:
        thread = await Decoder(1, max_waiting=9)(thread_of, open_image(data))
        assert (thread is threading.main_thread()) == inline

    run(main())


def test_pixels_that_are_there_already_are_small_or_large_too() -> None:
    side = int(INLINE_PIXELS**0.5)

    async def main() -> None:
        decoder = Decoder(1, max_waiting=9)
        for width, inline in ((side, True), (side + 1, False)):
            thread = await decoder(thread_of, Image.new("RGB", (width, side)))
            assert (thread is threading.main_thread()) == inline

    run(main())


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_damage_is_reported_from_wherever_it_is_found(data: bytes) -> None:
    async def main() -> None:
        with pytest.raises(DamagedImage):
            await Decoder(1, max_waiting=9)(load_rgb, open_image(data[: len(data) - 40]))

    run(main())


def test_too_many_large_pictures_are_refused_and_small_ones_are_not() -> None:
    go = threading.Event()

    def hold(image: Image.Image) -> None:
        assert go.wait(120)

    async def main() -> None:
        decoder = Decoder(1, max_waiting=1)
        first, second = (asyncio.ensure_future(decoder(hold, open_image(LARGE))) for _ in "ab")
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await decoder(hold, open_image(LARGE))
        await decoder(thread_of, open_image(SMALL))
        go.set()
        await asyncio.gather(first, second)

    run(main())


def test_a_cancelled_picture_that_waits_is_never_decoded() -> None:
    go, started = threading.Event(), threading.Event()
    decoded: list[tuple[int, int]] = []

    def hold(image: Image.Image) -> None:
        started.set()
        assert go.wait(120)

    def note(image: Image.Image) -> None:
        decoded.append(image.size)

    async def main() -> None:
        decoder = Decoder(1, max_waiting=9)
        first = asyncio.ensure_future(decoder(hold, open_image(LARGE)))
        await asyncio.to_thread(started.wait, 120)
        second = asyncio.ensure_future(decoder(note, open_image(LARGE)))
        third = asyncio.ensure_future(decoder(note, open_image(jpeg(480, 640))))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([second])
        go.set()
        await asyncio.gather(first, third)
        assert decoded == [(480, 640)]

    run(main())
