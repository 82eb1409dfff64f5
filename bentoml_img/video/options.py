"""How a video is looked at: what is detected in it, where it is counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from bentoml_img.detect import DEFAULT_QUERY, Query
from bentoml_img.video.frames import FOLDER_RATE, VideoInfo
from bentoml_img.video.ground import Ground
from bentoml_img.video.regions import Given, Line, Point, Zone

LONGEST_GAP = 0.4  # seconds between two looks, in which most things are still where they are found


@dataclass(frozen=True, kw_only=True)
class Options:
    """`every` Nth frame is detected, and tracks are carried between.

    What is asked for in `query` starts a track; what scores less can go on with one.
    `rate` is the frames a second of a folder of pictures. `model` and `precision`
    are of the detector that is given: with another, a run does not go on.
    ValueError if two lines or zones have one name.
    """

    every: int = 1
    query: Query = DEFAULT_QUERY
    lines: tuple[Line, ...] = ()
    zones: tuple[Zone, ...] = ()
    ground: Ground | None = None
    rate: float = FOLDER_RATE
    model: str = ""
    precision: str = "fp32"

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"every {self.every} frames: it must be 1 or more")
        names = [*(line.name for line in self.lines), *(zone.name for zone in self.zones)]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two lines or zones are called {twice!r}")

    @classmethod
    def from_numbers(
        cls,
        *,
        lines: Sequence[Given] = (),
        zones: Sequence[Given] = (),
        scale: float | None = None,
        homography: Sequence[float] | None = None,
        every: int = 1,
        query: Query = DEFAULT_QUERY,
        rate: float = FOLDER_RATE,
        model: str = "",
        precision: str = "fp32",
    ) -> Self:
        """From lines, zones and ground as numbers; `scale` is how many pixels are a metre.

        Lines and zones without a name are called `line 1`, `zone 2`, by their place.
        ValueError if these make no lines, zones or ground, or if there is a scale
        but no line to measure speeds at.
        """
        if scale and homography:
            raise ValueError("a scale and a homography: give one of them")
        if (scale or homography) and not lines:
            raise ValueError("speeds are measured across lines: give a line")
        ground = Ground.from_numbers(homography) if homography else None
        return cls(
            lines=tuple(
                Line.from_numbers(line.name or f"line {k}", line.numbers)
                for k, line in enumerate(lines, 1)
            ),
            zones=tuple(
                Zone.from_numbers(zone.name or f"zone {k}", zone.numbers)
                for k, zone in enumerate(zones, 1)
            ),
            ground=Ground.from_scale(1 / scale) if scale else ground,
            every=every,
            query=query,
            rate=rate,
            model=model,
            precision=precision,
        )

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
