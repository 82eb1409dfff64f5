"""What a photo passes, where the network takes one after another: a place, threads, the network."""

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
    """The threads of a worker: one for the network, its share of the cores for pictures."""

    def __init__(self, settings: Settings) -> None:
        self._network = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._pictures = ThreadPoolExecutor(settings.threads, thread_name_prefix="pictures")
        # One request more than there are threads, so that the network need not wait for a decoder.
        self._queue = Queue(settings.threads + 1, settings.max_waiting)

    def place(self, image: Image.Image) -> AbstractAsyncContextManager[None]:
        """A turn for a request with that picture; Overloaded if too many are waiting for one."""
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
        """What opening, drawing or encoding gives."""
        return await outcome(self._pictures.submit(work, *args, **kwargs))

    async def network(
        self,
        compute: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """What the network gives, when it is free."""
        return await outcome(self._network.submit(compute, *args, **kwargs))

    def network_from_a_thread(
        self,
        compute: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """What the network gives, for a thread that may wait until it is free."""
        return self._network.submit(compute, *args, **kwargs).result()
