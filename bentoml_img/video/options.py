"""How a video is looked at: what is detected in it, where it is counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bentoml_img.detect import DEFAULT_QUERY, Query
from bentoml_img.video.frames import FOLDER_RATE, VideoInfo
from bentoml_img.video.ground import Ground
from bentoml_img.video.places import Line, Point, Zone

LONGEST_GAP = 0.4  # seconds between two looks: in more, things move too far to be found again


@dataclass(frozen=True, kw_only=True)
class Options:
    """`every` Nth frame is detected, and tracks are carried between.

    What is asked for in `query` starts a track; what scores less can go on with one.
    `rate` is the frames a second of a folder of pictures.
    ValueError if `every` is less than 1, if two lines or zones have one name, or if there
    is a `ground` but no line to measure speeds at.
    """

    every: int = 1
    query: Query = DEFAULT_QUERY
    lines: tuple[Line, ...] = ()
    zones: tuple[Zone, ...] = ()
    ground: Ground | None = None
    rate: float = FOLDER_RATE

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"every {self.every} frames: it must be 1 or more")
        names = [*(line.name for line in self.lines), *(zone.name for zone in self.zones)]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two lines or zones are called {twice!r}")
        if self.ground and not self.lines:
            raise ValueError("speeds are measured across lines: give a line")

    def warnings(self, info: VideoInfo) -> list[str]:
        """Why less may be counted in a video than one expects."""
        size = info.width, info.height
        places: list[Line | Zone] = [*self.lines, *self.zones]
        found = [warning for place in places if (warning := place.warning(size))]
        if self.every > 1 and self.every / info.rate > LONGEST_GAP:
            found.append(
                f"every {self.every} frames are {self.every / info.rate:.1f} seconds, in which "
                f"things move on: crossings may be missed; up to {LONGEST_GAP:g} seconds are safe"
            )
        return found

    @property
    def places(self) -> Mapping[str, Sequence[Point]]:
        """The points of lines and zones, by their names."""
        return {
            **{line.name: (line.start, line.end) for line in self.lines},
            **{zone.name: zone.corners for zone in self.zones},
        }
