"""How long a frame of an animation is shown.

Browsers show a frame that asks for HASTY or less for DEFAULT, and so do we.
"""

HASTY, DEFAULT = 0.01, 0.1  # seconds

# A GIF knows no finer time, and none that is shorter and shown as it is.
PER_SECOND = 100
SHORTEST = 2
LONGEST = 65_535  # 16 bits


def seconds_shown(milliseconds: float) -> float:
    """For how long a frame is shown that asks for so many milliseconds."""
    seconds = milliseconds / 1000
    return min(seconds, LONGEST / PER_SECOND) if seconds > HASTY else DEFAULT
