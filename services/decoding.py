"""Where pictures are decoded: small ones on the spot, large ones in threads."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from PIL import Image, ImageFile

from services.queueing import Queue, outcome

Result = TypeVar("Result")

# Decoding this many pixels takes less than handing them to a thread and back.
INLINE_PIXELS = 128 * 128
# A long file can keep a decoder busy for seconds, however small its picture.
INLINE_BYTES = 16 * 1024


def use_up(function: Callable[[Image.Image], Result], image: Image.Image) -> Result:
    """What a function makes of a picture, whose pixels are let go of then.

    Its request holds it until the answer.
    """
    result = function(image)
    if result is not image:
        image.close()
    return result


class Decoder:
    """Calls a function with a picture and lets go of it; at most `threads` large ones are in memory
    at a time.

    As many as `max_waiting` wait for their turn; Overloaded if there are more.
    """

    def __init__(self, threads: int, max_waiting: int) -> None:
        self._queue = Queue(threads, max_waiting)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="decode")

    async def __call__(
        self, function: Callable[[Image.Image], Result], image: Image.Image
    ) -> Result:
        if image.width * image.height <= INLINE_PIXELS and _length(image) <= INLINE_BYTES:
            return use_up(function, image)
        async with self._queue.place(image):
            return await outcome(self._threads.submit(use_up, function, image))


def _length(image: Image.Image) -> int:
    """How many bytes of a file are behind a picture that is not decoded yet."""
    if isinstance(image, ImageFile.ImageFile) and isinstance(image.fp, io.BytesIO):
        return image.fp.getbuffer().nbytes
    return 0
