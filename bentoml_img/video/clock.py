"""One clock for a file whose own clock jumps, such as recordings that were joined."""

from collections import deque
from fractions import Fraction
from typing import Any

import av

NEAR = Fraction(1, 2)  # seconds by which packets of one clock may be out of step
FORWARD = 10  # seconds without any packet, after which a clock that may jump has done so
KNOWN = 8  # offsets that are remembered: at a jump, one stream after the other takes the new one


class Clock:
    """Gives packets, in the order of the file, times that go on where its clock jumps.

    It must see all streams that are to stay together: one offset is for all of them.
    `jumps_forward` is for formats such as MPEG-TS, in which a long pause is a jump of
    the clock; in any format it may jump back.
    """

    def __init__(self, jumps_forward: bool) -> None:
        self._jumps_forward = jumps_forward
        self._known: deque[Fraction] = deque([Fraction(0)], KNOWN)
        self._offsets: dict[int, Fraction] = {}
        self._last: dict[int, Fraction] = {}
        self._end = Fraction(0)  # of all packets so far

    def adjust(self, packet: "av.Packet[Any]") -> None:
        """Move the times of a packet."""
        stream = packet.stream.index
        offset = self._offsets.setdefault(stream, self._known[0])
        if packet.dts is not None:
            raw = packet.dts * packet.time_base
            shown = (packet.dts if packet.pts is None else packet.pts) * packet.time_base
            if not self._goes_on(stream, raw + offset):
                if (known := self._offset(stream, raw, offset)) is None:
                    known = self._end - shown
                    self._known.appendleft(known)
                offset = self._offsets[stream] = known
            self._last[stream] = raw + offset
            length = (packet.duration or 0) * packet.time_base
            self._end = max(self._end, shown + offset + length)
        ticks = round(offset / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks

    def _goes_on(self, stream: int, time: Fraction) -> bool:
        last = self._last.get(stream)
        return last is None or last - NEAR <= time <= self._end + NEAR

    def _offset(self, stream: int, raw: Fraction, offset: Fraction) -> Fraction | None:
        """The offset of a time that does not go on: a known one, or the same, after a pause.

        None if the clock jumped.
        """
        for known in self._known:
            if self._goes_on(stream, raw + known):
                return known
        time = raw + offset
        is_pause = time <= self._end + FORWARD or not self._jumps_forward
        return offset if time >= self._last[stream] and is_pause else None
