"""When frames are shown, also where packets say only when they are decoded."""

from typing import Any

import av


class FrameTimes:
    """Times of one stream's frames, in its unit.

    `shown` is whether its packets may be believed when they say when frames are shown.
    If not, or if none says it, a frame is shown as soon as the decoder gives it, less
    the delay of the first one.
    """

    def __init__(self, shown: bool) -> None:
        self._trusted = shown
        self._shown = False
        self._start: int | None = None  # when the first packet is decoded
        self._delay: int | None = None

    def see(self, packet: "av.Packet[Any]") -> None:
        """Note a packet before it is decoded."""
        self._shown = self._shown or (self._trusted and packet.pts is not None)
        if self._start is None:
            self._start = packet.dts

    def of(self, frame: av.VideoFrame) -> int | None:
        """When a frame is shown; None if that is when the one before it is over."""
        if self._shown:
            return frame.pts
        if frame.dts is None:
            return None
        if self._delay is None:
            self._delay = 0 if self._start is None else frame.dts - self._start
        return frame.dts - self._delay
