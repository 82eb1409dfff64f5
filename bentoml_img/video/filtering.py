"""FFmpeg's filters, one at a time."""

from collections.abc import Iterator
from fractions import Fraction

import av
import av.error
import av.filter


class FilterGraph:
    """One filter, with a source for each of its inputs, of frames like those given."""

    def __init__(
        self, name: str, arguments: str, time_base: Fraction, *inputs: av.VideoFrame
    ) -> None:
        graph = av.filter.Graph()
        node = graph.add(name, arguments)
        self._sources = []
        for number, frame in enumerate(inputs):
            source = graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=time_base
            )
            source.link_to(node, 0, number)
            self._sources.append(source)
        self._sink = graph.add("buffersink")
        node.link_to(self._sink)
        graph.configure()
        self._graph = graph

    def push(self, frame: av.VideoFrame | None, number: int = 0) -> None:
        """Give a frame to an input; None at its end."""
        self._sources[number].push(frame)

    def pull(self) -> Iterator[av.VideoFrame]:
        """What is ready by now."""
        while True:
            try:
                frame = self._sink.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            assert isinstance(frame, av.VideoFrame)
            yield frame
