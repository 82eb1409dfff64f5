"""How long a frame of an animation is shown.

Browsers show a frame that asks for HASTY or less for DEFAULT, and so do we.
"""

import re
from mmap import mmap

HASTY, DEFAULT = 0.01, 0.1  # seconds

# A GIF knows no finer time, and none that is shorter and shown as it is.
PER_SECOND = 100
SHORTEST = 2
LONGEST = 65_535  # 16 bits

# A frame's delay and what is around it. Pixels look the same once in some gigabytes, which an
# average does not show.
_DELAY = {
    "GIF": re.compile(rb"!\xf9\x04.(..).\0(?=[,!])", re.DOTALL),
    "PNG": re.compile(rb"fcTL.{20}(..)(..)", re.DOTALL),
    "WEBP": re.compile(rb"ANMF.{16}(...)", re.DOTALL),
}


def seconds_shown(milliseconds: float) -> float:
    """For how long a frame is shown that asks for so many milliseconds."""
    seconds = milliseconds / 1000
    return min(seconds, LONGEST / PER_SECOND) if seconds > HASTY else DEFAULT


def mean_shown(data: bytes | mmap, kind: str) -> float | None:
    """For how many seconds a frame of a GIF, PNG or WEBP is shown, on average of all.

    Without decoding one; None if no frame says it.
    """
    frames, seconds = 0, 0.0
    for found in _DELAY[kind].finditer(data):
        frames += 1
        seconds += seconds_shown(_milliseconds(kind, *found.groups()))
    return seconds / frames if frames else None


def _milliseconds(kind: str, delay: bytes, parts: bytes = b"") -> float:
    if kind == "PNG":
        return 1000 * int.from_bytes(delay, "big") / (int.from_bytes(parts, "big") or PER_SECOND)
    return int.from_bytes(delay, "little") * (1000 / PER_SECOND if kind == "GIF" else 1)
