"""The bytes that all requests together may hold."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.errors import Overloaded


class Budget:
    """At most `size` bytes for all requests; `held` are in use."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.held = 0

    @contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """A request's share, until the end of the block.

        What is yielded takes more bytes; Overloaded if there are not so many left.
        """
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            if self.held + size > self._size:
                raise Overloaded
            self.held += size
            taken += size

        try:
            yield take
        finally:
            self.held -= taken
