"""Where pictures are decoded: small ones on the spot, large ones in threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from PIL import Image

Result = TypeVar("Result")

# Decoding this many pixels takes less than handing them to a thread and back.
INLINE_PIXELS = 128 * 128


class Decoder:
    """Runs a function of a picture; at most `threads` large ones are in memory at a time."""

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="decode")

    async def __call__(
        self, function: Callable[[Image.Image], Result], image: Image.Image
    ) -> Result:
        if image.width * image.height <= INLINE_PIXELS:
            return function(image)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, function, image)
