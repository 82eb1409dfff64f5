"""Lines to be crossed and zones to be in, in pixels of a frame."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from pydantic import ConfigDict, with_config

Point = tuple[float, float]

FARTHEST = 100_000  # pixels from a frame's corner: a line is drawn as far as it goes, seen or not
BORDER = 0.05  # of a frame's side: nearer than this, things are cut off by the border
NO_WIDTH = 1e-6  # pixels: a smaller width is only a rounding error
LAST_PIXEL = 1  # pixels from the border: who points at a frame's last pixel means its border
MOST_CORNERS = 100  # each edge is compared with all others, and with each thing in each frame
FORMULA = ("=", "+", "-", "@")  # what one begins with
LONGEST_NAME = 40  # characters: it is written into the picture


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True)
class PlaceSpec:
    """A line or a zone as it is asked for: its numbers, and its name, empty if it has none.

    ValueError for a name that cannot be written into a picture, or that a spreadsheet which
    opens the events would take for a formula.
    """

    numbers: tuple[float, ...]
    name: str = ""

    def __post_init__(self) -> None:
        if len(self.name) > LONGEST_NAME or not self.name.isprintable():
            raise ValueError(f"{self.name!r} is no name of up to {LONGEST_NAME} plain letters")
        if self.name.lstrip().startswith(FORMULA):
            raise ValueError(f"the name {self.name!r} begins as a spreadsheet's formula does")


def split_name(text: str) -> tuple[str, str]:
    """The name and the numbers of "NAME=NUMBERS"; an empty name where there are numbers alone."""
    name, _, numbers = text.rpartition("=")
    return name, numbers


@dataclass(frozen=True)
class Line:
    """From `start` to `end`; ValueError if these are one point, or far outside of any frame."""

    name: str
    start: Point
    end: Point

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise ValueError(f"{self.name} starts where it ends: give two points")
        _check_reach(self.name, (*self.start, *self.end))

    @classmethod
    def from_numbers(cls, name: str, numbers: Sequence[float]) -> "Line":
        """From x1, y1, x2, y2; ValueError if these are more or fewer, or beyond FARTHEST."""
        if len(numbers) != 4:
            raise ValueError(f"{name} has {len(numbers)} numbers: give x1,y1,x2,y2 in pixels")
        x1, y1, x2, y2 = numbers
        return cls(name, (x1, y1), (x2, y2))

    def distance(self, point: Point) -> float:
        """Pixels from the endless line through both ends; below 0 on the side of `towards(-1)`."""
        dx, dy = self._direction
        return (point[1] - self.start[1]) * dx - (point[0] - self.start[0]) * dy

    def crosses(self, a: Point, b: Point, size: tuple[int, int]) -> bool:
        """Whether the way from a to b, on different sides, meets the line between its ends.

        `size` is the frame's (width, height). A line that ends at a border of the frame,
        or beyond it, goes on there: what the border cuts off may well cross it.
        """
        da, db = self.distance(a), self.distance(b)
        share = da / (da - db)
        x, y = a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])
        dx, dy = self._direction
        along = (x - self.start[0]) * dx + (y - self.start[1]) * dy
        begins = along >= 0 or _is_beyond((self.start,), size)
        return begins and (
            along <= math.dist(self.start, self.end) or _is_beyond((self.end,), size)
        )

    def towards(self, side: int) -> str:
        """Direction on screen of a crossing that ends on that side: 1 or -1, as of `distance`."""
        dx, dy = self._direction
        x, y = -dy * side, dx * side
        if abs(x) > abs(y):
            return "right" if x > 0 else "left"
        return "down" if y > 0 else "up"

    @property
    def _direction(self) -> Point:
        length = math.dist(self.start, self.end)
        return (self.end[0] - self.start[0]) / length, (self.end[1] - self.start[1]) / length

    def warning(self, size: tuple[int, int]) -> str | None:
        """Why little may be counted in frames of (width, height): it is beyond or at a border."""
        if _is_outside((self.start, self.end), size):
            return f"{self.name} is outside of the picture"
        for axis, side in enumerate(size):
            places = self.start[axis], self.end[axis]
            if max(places) < BORDER * side or min(places) > (1 - BORDER) * side:
                return (
                    f"{self.name} is so near the border that things leave the picture before "
                    "they are across: move it inwards"
                )
        return None


@dataclass(frozen=True)
class Zone:
    """A polygon, whose corners are in their order around it.

    ValueError for fewer than three different corners, more than MOST_CORNERS, or one far
    from any frame, for edges that cross, and for one that has no area.
    """

    name: str
    corners: tuple[Point, ...]

    def __post_init__(self) -> None:
        if len(set(self.corners)) < 3:
            raise ValueError(f"{self.name} has fewer than three different corners")
        if len(self.corners) > MOST_CORNERS:
            raise ValueError(
                f"{self.name} has {len(self.corners)} corners, and {MOST_CORNERS} are the most"
            )
        _check_reach(self.name, [x for corner in self.corners for x in corner])
        if any(_cross(*edges) for edges in combinations(self._edges(), 2)):
            raise ValueError(
                f"{self.name} has edges that cross: give its corners in their order around it"
            )
        if self.half_width < NO_WIDTH:
            raise ValueError(f"{self.name} has no area: give corners that are not on one line")

    @classmethod
    def from_numbers(cls, name: str, numbers: Sequence[float]) -> "Zone":
        """From x, y of each corner; ValueError if one is left over, or beyond FARTHEST."""
        if len(numbers) % 2:
            raise ValueError(
                f"{name} has {len(numbers)} numbers: give x,y of each corner in pixels"
            )
        return cls(name, tuple(zip(numbers[::2], numbers[1::2], strict=True)))

    def depth(self, point: Point, size: tuple[int, int]) -> float:
        """Pixels to the edge of the zone; below 0 outside. `size` is the frame's (width, height).

        Where an edge is along a border of the frame, or beyond it, the zone goes on
        there: what reaches the border may well go further.
        """
        within = LAST_PIXEL + 0.5
        x, y = (
            min(max(place, within), side - within) for place, side in zip(point, size, strict=True)
        )
        inside = False
        nearest = math.inf
        for (x1, y1), (x2, y2) in self._edges():
            if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
                inside = not inside
            if not _is_beyond(((x1, y1), (x2, y2)), size):
                nearest = min(nearest, _distance(point, (x1, y1), (x2, y2)))
        return nearest if inside else -nearest

    @cached_property
    def half_width(self) -> float:
        """Half of its width in pixels, if it is long and narrow; less than that in other shapes."""
        area = sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in self._edges()) / 2
        return abs(area) / sum(math.dist(a, b) for a, b in self._edges())

    def warning(self, size: tuple[int, int]) -> str | None:
        """Why little can be in it in frames of (width, height): it is outside, or in a corner."""
        if _is_outside(self.corners, size):
            return f"{self.name} is outside of the picture"
        places = list(zip(zip(*self.corners, strict=True), size, strict=True))
        if all(max(p) < BORDER * s or min(p) > (1 - BORDER) * s for p, s in places):
            return f"{self.name} is only a corner of the picture: its numbers are pixels"
        return None

    def _edges(self) -> Sequence[tuple[Point, Point]]:
        return list(zip(self.corners, self.corners[1:] + self.corners[:1], strict=True))


def lines_of(specs: Iterable[PlaceSpec]) -> tuple[Line, ...]:
    """Those without a name are called `line 1`, `line 2`, by their place among all."""
    return tuple(Line.from_numbers(name, numbers) for name, numbers in _named("line", specs))


def zones_of(specs: Iterable[PlaceSpec]) -> tuple[Zone, ...]:
    """Those without a name are called `zone 1`, `zone 2`, by their place among all."""
    return tuple(Zone.from_numbers(name, numbers) for name, numbers in _named("zone", specs))


def _named(kind: str, specs: Iterable[PlaceSpec]) -> Iterator[tuple[str, Sequence[float]]]:
    for number, spec in enumerate(specs, 1):
        yield spec.name.strip() or f"{kind} {number}", spec.numbers


def _is_outside(points: Sequence[Point], size: tuple[int, int]) -> bool:
    """Whether all of the points are beyond one and the same border."""
    return any(
        max(places) < 0 or min(places) > side
        for places, side in zip(zip(*points, strict=True), size, strict=True)
    )


def _is_beyond(points: Sequence[Point], size: tuple[int, int]) -> bool:
    """Whether all of the points are at or beyond one and the same border."""
    return any(
        max(places) <= LAST_PIXEL or min(places) >= side - LAST_PIXEL
        for places, side in zip(zip(*points, strict=True), size, strict=True)
    )


def _cross(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    """Whether two edges cross between their ends; those that only touch do not."""
    (a, b), (c, d) = one, other
    apart = _turn(a, b, c) * _turn(a, b, d) < 0
    return apart and _turn(c, d, a) * _turn(c, d, b) < 0


def _turn(a: Point, b: Point, c: Point) -> float:
    """Above 0 if the way from a by b to c turns right, as it is seen, below 0 if it turns left."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _check_reach(name: str, numbers: Sequence[float]) -> None:
    if not all(abs(number) <= FARTHEST for number in numbers):
        raise ValueError(f"{name} goes beyond {FARTHEST:,} pixels")


def _distance(point: Point, a: Point, b: Point) -> float:
    """Pixels from a point to the way from a to b."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    square = dx * dx + dy * dy
    share = ((point[0] - a[0]) * dx + (point[1] - a[1]) * dy) / square if square else 0.0
    share = min(1.0, max(0.0, share))
    return math.dist(point, (a[0] + share * dx, a[1] + share * dy))
