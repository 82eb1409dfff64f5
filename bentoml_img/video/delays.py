"""How long a frame of an animation is shown, in hundredths of a second: a GIF knows no finer time.

Browsers show a frame that asks for less than SHORTEST for DEFAULT, and so do we.
"""

PER_SECOND = 100
SHORTEST, DEFAULT = 2, 10
LONGEST = 65_535  # 16 bits


def seconds_shown(milliseconds: float) -> float:
    """For how long a frame is shown that asks for so many milliseconds."""
    seconds = milliseconds / 1000
    if seconds >= SHORTEST / PER_SECOND:
        return min(seconds, LONGEST / PER_SECOND)
    return DEFAULT / PER_SECOND
