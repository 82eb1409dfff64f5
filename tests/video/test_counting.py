import json
from collections.abc import Iterable
from dataclasses import replace

import pytest

from bentoml_img.video.counting import Event, EventCounter
from bentoml_img.video.ground import Ground
from bentoml_img.video.options import Options
from bentoml_img.video.places import Line, Zone
from bentoml_img.video.tracking import TrackedInstance

GATE = Line("gate", (0, 100), (200, 100))
SIZE = (400, 300)
BAY = Zone("bay", ((50, 50), (150, 50), (150, 150), (50, 150)))


def seen(track_id: int, x: float, y: float, *, detected: bool = True) -> TrackedInstance:
    """A car of 20×20 pixels whose foot is at (x, y)."""
    return TrackedInstance(track_id, "car", 0.9, (x - 10, y - 20, x + 10, y), None, detected)


def run(
    counter: EventCounter, feet: Iterable[tuple[float, float]], track_id: int = 1
) -> list[Event]:
    events = []
    for frame, (x, y) in enumerate(feet):
        events += counter.update(frame, frame / 10, [seen(track_id, x, y)])
    return events + counter.finish()


def of_kind(events: list[Event], *kinds: str) -> list[tuple[str, str]]:
    return [(event.kind, event.direction) for event in events if event.kind in kinds]


def test_a_crossing_each_way() -> None:
    down = run(EventCounter(SIZE, [GATE]), [(60, y) for y in range(60, 140, 5)])
    assert of_kind(down, "crossed") == [("crossed", "down")]
    up = run(EventCounter(SIZE, [GATE]), [(60, y) for y in range(140, 60, -5)])
    assert of_kind(up, "crossed") == [("crossed", "up")]
    (event,) = [event for event in down if event.kind == "crossed"]
    assert event.place == "gate"
    assert event.frame == 9  # the first beyond the line by a tenth of the car
    assert event.time == pytest.approx(0.9)
    assert event.box == (50, 85, 70, 105)


@pytest.mark.parametrize(("by", "frames"), [(1.5, 3), (5, 1)], ids=["little", "briefly"])
def test_what_trembles_on_a_line_crosses_once(by: float, frames: int) -> None:
    """By less than a tenth of its box, or else for less than 0.2 seconds at a time."""
    trembling = [(60, 100 + by * (-1) ** (k // frames)) for k in range(30)]
    way = [(60, 80), (60, 90), *trembling, (60, 110), *trembling, (60, 120)]
    assert of_kind(run(EventCounter(SIZE, [GATE]), way), "crossed") == [("crossed", "down")]


@pytest.mark.parametrize(("width", "height"), [(60, 20), (20, 60)])
def test_a_line_is_crossed_by_a_tenth_of_the_longer_side(width: int, height: int) -> None:
    counter = EventCounter(SIZE, [GATE])
    for frame, y in enumerate((80, 105, 107)):
        box = (60 - width / 2, y - height, 60 + width / 2, y)
        counter.update(frame, frame / 10, [TrackedInstance(1, "bus", 0.9, box, None, True)])
    (event,) = [event for event in counter.finish() if event.kind == "crossed"]
    assert event.frame == 2


def test_back_and_forth_is_two_crossings() -> None:
    way = [(60, y) for y in (80, 90, 110, 120, 110, 90, 80)]
    assert of_kind(run(EventCounter(SIZE, [GATE]), way), "crossed") == [
        ("crossed", "down"),
        ("crossed", "up"),
    ]


def test_what_is_across_for_a_moment_has_not_crossed() -> None:
    way = [(60, y) for y in (80, 90, 110, 90, 80)]
    assert of_kind(run(EventCounter(SIZE, [GATE]), way), "crossed") == []


@pytest.mark.parametrize("back", [[80], [101, 99, 80]])
def test_what_comes_back_later_has_crossed_twice(back: list[float]) -> None:
    counter = EventCounter(SIZE, [GATE])
    events = []
    for second, y in enumerate([80, 120, *back, 80]):
        events += counter.update(10 * second, second, [seen(1, 60, y)])
    crossings = [event for event in events + counter.finish() if event.kind == "crossed"]
    assert [event.direction for event in crossings] == ["down", "up"]
    assert [event.frame for event in crossings] == [10, 10 * (1 + len(back))]


def test_what_is_last_seen_across_has_crossed() -> None:
    counter = EventCounter(SIZE, [GATE])
    counter.update(0, 0.0, [seen(1, 60, 90)])
    assert counter.update(1, 0.1, [seen(1, 60, 110)]) == []
    events = counter.finish()
    assert [(event.kind, event.frame) for event in events] == [("crossed", 1), ("disappeared", 1)]


def test_past_the_end_of_a_line() -> None:
    assert (
        of_kind(run(EventCounter(SIZE, [GATE]), [(230, y) for y in range(60, 140, 5)]), "crossed")
        == []
    )


def test_a_jump_over_the_line_counts() -> None:
    assert of_kind(run(EventCounter(SIZE, [GATE]), [(60, 40), (60, 160)]), "crossed") == [
        ("crossed", "down")
    ]


def test_only_what_was_detected_counts() -> None:
    counter = EventCounter(SIZE, [GATE])
    counter.update(0, 0.0, [seen(1, 60, 80)])
    assert counter.update(1, 0.1, [seen(1, 60, 120, detected=False)]) == []
    assert counter.update(2, 0.2, [seen(1, 60, 120)]) == []
    (event,) = counter.update(3, 0.4, [seen(1, 60, 120)])
    assert (event.kind, event.frame) == ("crossed", 2)


def test_every_track_appears_and_disappears_once() -> None:
    counter = EventCounter(SIZE)
    events = counter.update(0, 0.0, [seen(1, 10, 30), seen(2, 90, 30)])
    events += counter.update(1, 0.1, [seen(2, 90, 40)])
    events += counter.update(2, 0.2, [seen(2, 90, 50)], ended=[1])
    events += counter.finish()
    assert [(e.kind, e.track_id, e.frame) for e in events] == [
        ("appeared", 1, 0),
        ("appeared", 2, 0),
        ("disappeared", 1, 0),
        ("disappeared", 2, 2),
    ]


def test_time_in_a_zone() -> None:
    events = run(EventCounter(SIZE, zones=[BAY]), [(100, y) for y in range(20, 200, 10)])
    assert of_kind(events, "entered", "left") == [("entered", "in"), ("left", "out")]
    entered, left = (e for e in events if e.place == "bay")
    assert left.seconds == pytest.approx(left.time - entered.time)
    assert left.seconds == pytest.approx(1.0, abs=0.2)


def test_what_trembles_at_the_edge_of_a_zone_enters_and_leaves_once() -> None:
    """By less than a tenth of its box; as soon as it is by more, for however short a time."""
    above, below = ([(100, edge + 1.5 * (-1) ** k) for k in range(10)] for edge in (50, 150))
    events = run(
        EventCounter(SIZE, zones=[BAY]), [(100, 40), *above, (100, 53), *below, (100, 153)]
    )
    frames = [(event.kind, event.frame) for event in events if event.place == "bay"]
    assert frames == [("entered", 11), ("left", 22)]


def test_first_and_last_seen_in_a_zone() -> None:
    events = run(EventCounter(SIZE, zones=[BAY]), [(100, 100)] * 11)
    assert of_kind(events, "entered", "left") == [("entered", "start"), ("left", "end")]
    assert events[-2].seconds == pytest.approx(1.0)


def test_feet_that_the_border_cuts_off_are_in_a_zone_that_ends_there() -> None:
    width, height = SIZE
    zone = Zone("street", ((0, 150), (width, 150), (width, height), (0, height)))
    events = run(EventCounter(SIZE, zones=[zone]), [(100, height)] * 11)
    assert of_kind(events, "entered", "left") == [("entered", "start"), ("left", "end")]
    events = run(
        EventCounter(SIZE, zones=[zone]), [(100, y) for y in (*range(100, height, 10), height)]
    )
    assert of_kind(events, "entered", "left") == [("entered", "in"), ("left", "end")]


@pytest.mark.parametrize("beyond", [0, 1])
def test_feet_that_the_border_cuts_off_are_counted_up_to_its_last_pixel(beyond: int) -> None:
    right, bottom = (side - beyond for side in SIZE)
    way = [(x, SIZE[1]) for x in range(150, 260, 5)]
    for line in (Line("gate", (200, 0), (200, bottom)), Line("slope", (0, 250), (200, bottom))):
        assert of_kind(run(EventCounter(SIZE, [line]), way), "crossed")
    zone = Zone("street", ((0, 150), (right, 150), (right, bottom), (0, bottom)))
    events = run(EventCounter(SIZE, zones=[zone]), way)
    assert of_kind(events, "entered", "left") == [("entered", "start"), ("left", "end")]


def test_speeds_only_with_a_scale() -> None:
    way = [(60, y) for y in range(60, 140, 5)]  # 50 pixels a second
    (without,) = [e for e in run(EventCounter(SIZE, [GATE]), way) if e.kind == "crossed"]
    assert without.km_h is None
    counter = EventCounter(SIZE, [GATE], ground=Ground.from_scale(0.1))
    (event,) = [e for e in run(counter, way) if e.kind == "crossed"]
    assert event.km_h == pytest.approx(50 * 0.1 * 3.6)


def test_speeds_of_what_is_looked_at_now_and_then() -> None:
    """Over more than a second, or else over the last of it."""
    for looks in ([(0, 80), (1.2, 140)], [(0, 60), (0.8, 75), (1.6, 115)]):
        counter = EventCounter(SIZE, [GATE], ground=Ground.from_scale(0.1))
        for frame, (time, y) in enumerate(looks):
            counter.update(frame, time, [seen(1, 60, y)])
        (event,) = [e for e in counter.finish() if e.kind == "crossed"]
        assert event.km_h == pytest.approx(50 * 0.1 * 3.6)


def test_two_places_of_one_name() -> None:
    with pytest.raises(ValueError, match="two lines or zones are called 'gate'"):
        Options(lines=(GATE,), zones=(replace(BAY, name="gate"),))


def test_the_tally_is_of_what_was_counted_by_now() -> None:
    counter = EventCounter(SIZE, [GATE], [BAY])
    assert counter.tally == {"gate": {"down": 0, "up": 0}, "bay": {"inside": 0}}
    for frame, y in enumerate((60, 90, 110, 120, 140)):
        counter.update(frame, frame / 10, [seen(1, 60, y)])
    assert counter.tally == {"gate": {"down": 1, "up": 0}, "bay": {"inside": 1}}
    counter.update(5, 0.5, [seen(1, 60, 190)])
    assert counter.tally == {"gate": {"down": 1, "up": 0}, "bay": {"inside": 0}}
    counter.update(6, 0.6, [seen(1, 60, 40)])
    assert counter.tally["gate"] == {"down": 1, "up": 0}, "it may come back"
    counter.finish()
    assert counter.tally["gate"] == {"down": 1, "up": 1}


def test_a_counter_goes_on_from_its_state() -> None:
    def events(split: int | None) -> list[Event]:
        counter = EventCounter(SIZE, [GATE], [BAY], Ground.from_scale(0.1))
        found = []
        for frame in range(30):
            if frame == split:
                state = json.loads(json.dumps(counter.state()))
                counter = EventCounter(SIZE, [GATE], [BAY], Ground.from_scale(0.1))
                counter.restore(state)
            instances = [seen(1, 60, 40 + 5 * frame), seen(2, 5 + 6 * frame, 120)]
            found += counter.update(frame, frame / 10, instances)
        return found + counter.finish()

    whole = events(None)
    assert len(whole) > 6
    assert all(events(split) == whole for split in (1, 7, 14, 29))


def test_a_zone_that_is_thin_beside_what_goes_through_it() -> None:
    """As a kerb is beside a bus."""
    strip = Zone("kerb", ((0, 100), (400, 100), (400, 112), (0, 112)))
    counter = EventCounter(SIZE, zones=[strip])
    events = []
    for frame, y in enumerate(range(60, 150, 3)):
        bus = TrackedInstance(1, "bus", 0.9, (50, y - 60, 250, y), None, True)
        events += counter.update(frame, frame / 10, [bus])
    assert of_kind(events, "entered", "left") == [("entered", "in"), ("left", "out")]
