"""How long a frame of an animation is shown.

A frame that asks for HASTY or less is shown for DEFAULT, as browsers do it.
"""

from collections.abc import Iterable

HASTY, DEFAULT = 0.01, 0.1  # seconds

# Delays of a GIF are in hundredths of a second. A single one is HASTY: it would not be shown so.
PER_SECOND = 100
SHORTEST = 2
LONGEST = 65_535  # 16 bits


def seconds_shown(delay: float) -> float:
    """For how many seconds a frame is shown that asks for `delay` milliseconds."""
    seconds = delay / 1000
    return min(seconds, LONGEST / PER_SECOND) if seconds > HASTY else DEFAULT


def mean_shown(delays: Iterable[float]) -> float | None:
    """For how many seconds a frame is shown on average, by the delays of all in milliseconds.

    None if there are none.
    """
    frames, seconds = 0, 0.0
    for delay in delays:
        frames += 1
        seconds += seconds_shown(delay)
    return seconds / frames if frames else None
