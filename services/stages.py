"""Steps of a request where the network takes one photo at a time: turn, pictures, network.

A request waits for its turn; its picture is decoded, drawn or encoded in threads;
the network runs in a thread of its own.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import ParamSpec, TypeVar

from PIL import Image

from services.decoding import use_up
from services.queueing import Queue, outcome
from services.settings import Settings

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Stages:
    """A worker's threads: one for the network, and its share of the cores for pictures."""

    def __init__(self, settings: Settings) -> None:
        self._network = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._pictures = ThreadPoolExecutor(settings.threads, thread_name_prefix="pictures")
        # One request more than there are threads, so that the network need not wait for a decoder.
        self._queue = Queue(settings.threads + 1, settings.max_waiting)

    def place(self, image: Image.Image) -> AbstractAsyncContextManager[None]:
        """A turn for a request with this picture; Overloaded if too many requests wait for one."""
        return self._queue.place(image)

    async def decoded(self, work: Callable[[Image.Image], Result], image: Image.Image) -> Result:
        """What decoding gives; the picture itself is let go of."""
        return await self.picture(use_up, work, image)

    async def picture(
        self,
        work: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Run `work`, which opens, draws or encodes, in a thread for pictures; its result."""
        return await outcome(self._pictures.submit(work, *args, **kwargs))

    async def network(
        self,
        compute: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Run `compute` in the network's thread, once that is free; its result."""
        return await outcome(self._network.submit(compute, *args, **kwargs))

    def network_from_a_thread(
        self,
        compute: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """As `network`, for a caller in a thread, which waits for the result."""
        return self._network.submit(compute, *args, **kwargs).result()
