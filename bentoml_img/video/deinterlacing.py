"""Interlaced frames to whole ones: the lines of two moments make combs of what moves."""

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction

import av

from bentoml_img.video.filtering import FilterGraph

SMALLEST = 3  # pixels of a side, for the filter
EACH = "mode=send_frame:deint=interlaced"  # one for one, and what is whole stays as it is
Timed = tuple[Fraction | None, Fraction, av.VideoFrame]  # second, length in seconds, frame


def deinterlaced(frames: Iterable[Timed], base: Fraction) -> Iterator[Timed]:
    """A frame for each, in their order and at their times; those not interlaced as they are.

    `base` is the unit of their own times, in seconds.
    """
    graph: FilterGraph | None = None
    kind: tuple[int, int, str] | None = None
    times: deque[tuple[Fraction | None, Fraction]] = deque()
    for time, length, frame in frames:
        now = frame.width, frame.height, frame.format.name
        if graph is not None and now != kind:
            yield from _rest(graph, times)
            graph = None
        if graph is None:
            if not frame.interlaced_frame or min(frame.width, frame.height) < SMALLEST:
                yield time, length, frame
                continue
            graph, kind = FilterGraph("bwdif", EACH, base, frame), now
        times.append((time, length))
        graph.push(frame)
        for whole in graph.pull():
            yield *times.popleft(), whole
    if graph is not None:
        yield from _rest(graph, times)


def _rest(graph: FilterGraph, times: deque[tuple[Fraction | None, Fraction]]) -> Iterator[Timed]:
    graph.push(None)
    for whole in graph.pull():
        yield *times.popleft(), whole
