"""Tracks to events: what appeared, crossed a line, entered a zone. Every total is a sum of events.

An object is where the midpoint of its box's bottom edge is: where it touches the
ground. It has crossed a line once it is beyond it by a tenth of its box's longer side,
and has not come back within 0.2 seconds. It has entered or left a zone once it is
beyond its edge by that tenth; in a narrow zone, by half of the way from the edge to
the middle. So what trembles on a line, or is taken for something else for a moment,
does not cross it again and again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from bentoml_img.video.ground import Ground
from bentoml_img.video.places import Line, Point, Zone
from bentoml_img.video.tracking import TrackedInstance

CLEAR = 0.1  # of the longer side of a thing's box: so far beyond a line it is across
BACK = 0.2  # seconds within which what comes back to its side of a line never left it
SPEED_WINDOW = 1.0  # seconds that a speed is measured over; since the look before, if longer

Kind = Literal["appeared", "disappeared", "crossed", "entered", "left"]
Tally = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Event:
    """Something that a confirmed track did, in the frame where it was seen to be done.

    `place` is the name of a line or zone, empty for the picture itself. `direction`
    is right, left, down or up across a line; into a zone it is "in", or "start"
    for what was first seen there; out of it "out", or "end" for what was last seen
    there. `seconds` is the time spent in the zone that was left; `km_h` the speed
    across a line, where a scale is known. `box` is left, top, right, bottom.
    """

    frame: int
    time: float
    track_id: int
    label: str
    kind: Kind
    place: str
    direction: str
    seconds: float | None
    km_h: float | None
    box: tuple[float, float, float, float]


@dataclass
class _Path:
    """What is remembered of a track; `sides`, `across` and `since` are by a line's or zone's name.

    `across` are crossings that are not counted yet: the thing may come back.
    """

    frame: int
    time: float
    label: str
    box: tuple[float, float, float, float]
    sides: dict[str, tuple[int, Point]] = field(default_factory=dict)
    across: dict[str, Event] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)
    way: list[tuple[float, float, float]] = field(default_factory=list)

    @property
    def foot(self) -> Point:
        return _foot(self.box)

    @property
    def clear(self) -> float:
        left, top, right, bottom = self.box
        return CLEAR * max(right - left, bottom - top)


class EventCounter:
    """Events of one video of frames of `size` (width, height)."""

    def __init__(
        self,
        size: tuple[int, int],
        lines: Sequence[Line] = (),
        zones: Sequence[Zone] = (),
        ground: Ground | None = None,
    ) -> None:
        self.size, self.lines, self.zones, self.ground = size, lines, zones, ground
        self._paths: dict[int, _Path] = {}
        self._crossed = {line.name: {line.towards(1): 0, line.towards(-1): 0} for line in lines}

    @property
    def tally(self) -> Tally:
        """By line, how many have crossed it, each way; by zone, how many are `inside`."""
        inside = [name for path in self._paths.values() for name in path.since]
        return {
            **{name: dict(ways) for name, ways in self._crossed.items()},
            **{zone.name: {"inside": inside.count(zone.name)} for zone in self.zones},
        }

    def update(
        self,
        frame: int,
        time: float,
        instances: Iterable[TrackedInstance],
        ended: Iterable[int] = (),
    ) -> list[Event]:
        """The events of a frame. Counts only what was detected in it, not what was carried there.

        `ended` are the tracks that are given up by now: they disappeared when last seen.
        """
        events = [event for track_id in ended for event in self._end(track_id)]
        for instance in instances:
            if instance.detected:
                events += self._see(frame, time, instance)
        return events

    def finish(self) -> list[Event]:
        """The last events: all that is still there disappears when it was last seen."""
        return [event for track_id in list(self._paths) for event in self._end(track_id)]

    def _see(self, frame: int, time: float, instance: TrackedInstance) -> list[Event]:
        track_id = instance.track_id
        path = self._paths.get(track_id)
        new = path is None
        if path is None:
            path = self._paths[track_id] = _Path(
                frame=frame, time=time, label=instance.label, box=instance.box
            )
        path.frame, path.time, path.label, path.box = frame, time, instance.label, instance.box
        path.way.append((time, *path.foot))
        while len(path.way) > 2 and path.way[0][0] < time - SPEED_WINDOW:
            del path.way[0]
        events = [_event(track_id, path, "appeared")] if new else []
        for line in self.lines:
            events += self._line(track_id, path, line)
        for zone in self.zones:
            events += self._zone(track_id, path, zone, new)
        return events

    def _line(self, track_id: int, path: _Path, line: Line) -> list[Event]:
        events = []
        crossing = path.across.get(line.name)
        if crossing and path.time - crossing.time >= BACK:  # whatever it did since
            events.append(self._count(path.across.pop(line.name)))
            before, _ = path.sides[line.name]
            path.sides[line.name] = -before, _foot(crossing.box)
        distance = line.distance(path.foot)
        if abs(distance) < max(path.clear, 1e-9):
            return events
        side = 1 if distance > 0 else -1
        before, place = path.sides.get(line.name, (side, path.foot))
        if side == before:
            path.across.pop(line.name, None)
        elif line.name in path.across:
            return events
        elif line.crosses(place, path.foot, self.size):
            speed = self._km_h(path.way)
            direction = line.towards(side)
            crossing = _event(track_id, path, "crossed", line.name, direction, km_h=speed)
            path.across[line.name] = crossing
            return events
        path.sides[line.name] = side, path.foot
        return events

    def _zone(self, track_id: int, path: _Path, zone: Zone, new: bool) -> list[Event]:
        depth = zone.depth(path.foot, self.size)
        clear = min(path.clear, zone.half_width / 2)  # or what is narrow is never entered
        inside = zone.name in path.since
        if new and depth > 0:
            path.since[zone.name] = path.time
            return [_event(track_id, path, "entered", zone.name, "start")]
        if not inside and depth > clear:
            path.since[zone.name] = path.time
            return [_event(track_id, path, "entered", zone.name, "in")]
        if inside and depth < -clear:
            return [_left(track_id, path, zone.name, "out")]
        return []

    def _end(self, track_id: int) -> list[Event]:
        path = self._paths.pop(track_id, None)
        if path is None:
            return []
        left = [_left(track_id, path, name, "end") for name in list(path.since)]
        crossed = map(self._count, path.across.values())
        return [*crossed, *left, _event(track_id, path, "disappeared")]

    def _count(self, crossing: Event) -> Event:
        self._crossed[crossing.place][crossing.direction] += 1
        return crossing

    def _km_h(self, way: Sequence[tuple[float, float, float]]) -> float | None:
        if self.ground is None or len(way) < 2:
            return None
        (start, *a), (end, *b) = way[0], way[-1]
        metres = self.ground.distance((a[0], a[1]), (b[0], b[1]))
        return None if metres is None else round(3.6 * metres / (end - start), 2)

    def state(self) -> dict[str, Any]:
        """All that later events depend on, as JSON has it."""
        paths = {str(track_id): asdict(path) for track_id, path in self._paths.items()}
        return {"paths": paths, "crossed": self._crossed}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._paths = {int(track_id): _path(saved) for track_id, saved in state["paths"].items()}
        self._crossed = {name: dict(ways) for name, ways in state["crossed"].items()}


def _foot(box: tuple[float, float, float, float]) -> Point:
    left, _, right, bottom = box
    return (left + right) / 2, bottom


def _left(track_id: int, path: _Path, zone: str, direction: str) -> Event:
    seconds = round(path.time - path.since.pop(zone), 3)
    return _event(track_id, path, "left", zone, direction, seconds=seconds)


def _event(
    track_id: int,
    path: _Path,
    kind: Kind,
    place: str = "",
    direction: str = "",
    seconds: float | None = None,
    km_h: float | None = None,
) -> Event:
    left, top, right, bottom = path.box
    return Event(
        frame=path.frame,
        time=round(path.time, 4),
        track_id=track_id,
        label=path.label,
        kind=kind,
        place=place,
        direction=direction,
        seconds=seconds,
        km_h=km_h,
        box=(round(left, 2), round(top, 2), round(right, 2), round(bottom, 2)),
    )


def _path(saved: dict[str, Any]) -> _Path:
    """The path that `saved` was made of; JSON made lists of its tuples. They share nothing."""
    sides = {name: (side, (x, y)) for name, (side, (x, y)) in saved["sides"].items()}
    across = {
        name: Event(**{**event, "box": tuple(event["box"])})
        for name, event in saved["across"].items()
    }
    way = [(time, x, y) for time, x, y in saved["way"]]
    since, box = dict(saved["since"]), tuple(saved["box"])
    again = {"box": box, "sides": sides, "across": across, "since": since, "way": way}
    return _Path(**saved | again)
