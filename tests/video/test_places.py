import math

import pytest

from bentoml_img.video.ground import Ground
from bentoml_img.video.places import Line, Point, Zone

DOWN = Line("gate", (0, 50), (100, 50))
RIGHT = Line("gate", (50, 100), (50, 0))


def test_sides_of_a_line() -> None:
    assert DOWN.distance((10, 80)) == pytest.approx(30)
    assert DOWN.distance((10, 20)) == pytest.approx(-30)


@pytest.mark.parametrize(
    ("line", "point", "direction"),
    [
        (DOWN, (50, 90), "down"),
        (DOWN, (50, 10), "up"),
        (RIGHT, (90, 50), "right"),
        (RIGHT, (10, 50), "left"),
        (Line("back", (100, 50), (0, 50)), (50, 90), "down"),
        (Line("slope", (0, 0), (100, 60)), (0, 100), "down"),
    ],
)
def test_the_direction_is_that_on_the_picture(
    line: Line, point: tuple[float, float], direction: str
) -> None:
    assert line.towards(1 if line.distance(point) > 0 else -1) == direction


def test_a_line_ends() -> None:
    assert DOWN.crosses((50, 40), (50, 60), (200, 200))
    assert DOWN.crosses((110, 40), (80, 60), (200, 200))
    assert not DOWN.crosses((110, 40), (110, 60), (200, 200))


@pytest.mark.parametrize(
    "end", [(320, 360), (320, 359), (600, 360), (600, 359), (640, 360), (639, 359)]
)
def test_a_line_goes_on_beyond_the_border(end: tuple[float, float]) -> None:
    """The feet of what the border cuts off are on it, also where the last pixel was meant."""
    x, _ = end
    for line in (Line("slope", (0, 0), end), Line("slope", end, (0, 0))):
        assert line.crosses((x - 60, 360), (x + 60, 360), (640, 360))
        assert not line.crosses((x - 60, 380), (x + 60, 380), (800, 400))


@pytest.mark.parametrize(
    ("line", "warned"),
    [
        (Line("a", (0, 5), (200, 5)), True),
        (Line("a", (0, 195), (200, 199)), True),
        (Line("a", (197, 0), (197, 200)), True),
        (Line("a", (0, 5), (200, 100)), False),
        (Line("a", (0, 100), (200, 100)), False),
    ],
)
def test_a_line_at_the_border_is_warned_of(line: Line, warned: bool) -> None:
    assert (line.warning((200, 200)) is not None) == warned


def test_depth_in_a_zone() -> None:
    zone = Zone("bay", ((10, 10), (50, 10), (50, 40), (30, 20), (10, 40)))
    assert zone.depth((15, 15), (200, 200)) == pytest.approx(5)
    assert zone.depth((30, 35), (200, 200)) < 0  # in the notch
    assert zone.depth((0, 15), (200, 200)) == pytest.approx(-10)


def test_a_zone_goes_on_beyond_the_border() -> None:
    lower = Zone("bay", ((0, 60), (100, 60), (100, 100), (0, 100)))
    assert lower.depth((50, 100), (100, 100)) == pytest.approx(40)
    assert lower.depth((100, 90), (100, 100)) == pytest.approx(30)
    assert lower.depth((50, 100), (100, 120)) == pytest.approx(0)
    assert lower.depth((50, 40), (100, 100)) == pytest.approx(-20)
    whole = Zone("bay", ((0, 0), (100, 0), (120, 150), (0, 100)))
    assert whole.depth((100, 100), (100, 100)) == math.inf


def test_a_zone_to_the_last_pixel_goes_on_beyond_the_border() -> None:
    lower = Zone("bay", ((1, 60), (99, 60), (99, 99), (1, 99)))
    for foot in ((50, 100), (0, 100), (100, 100)):
        assert lower.depth(foot, (100, 100)) == pytest.approx(40, abs=0.1)
    assert lower.depth((50, 100), (100, 120)) == pytest.approx(-1)


@pytest.mark.parametrize("number", [2e9, -1e308, float("inf"), float("nan")])
def test_what_is_far_from_every_frame_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="gate goes beyond 100,000 pixels"):
        Line.from_numbers("gate", (0, 0, number, 9))
    with pytest.raises(ValueError, match="bay goes beyond 100,000 pixels"):
        Zone.from_numbers("bay", (0, 0, 9, 0, 0, number))


def test_what_is_no_region() -> None:
    with pytest.raises(ValueError, match="starts where it ends"):
        Line("gate", (1, 1), (1, 1))
    for corners in (((0, 0), (1, 1)), ((5, 5), (5, 5), (5, 5))):
        with pytest.raises(ValueError, match="bay has fewer than three different corners"):
            Zone("bay", corners)


@pytest.mark.parametrize(
    ("corners", "wrong"),
    [
        (((50, 50), (350, 50), (50, 250), (350, 250)), "edges that cross: give its corners in"),
        (((0, 0), (100, 0), (100, 50), (20, 50), (20, -9)), "edges that cross"),
        (tuple((k, k * k / 10) for k in range(101)), "101 corners, and 100 are the most"),
        (((0, 0), (50, 50), (100, 100)), "no area: give corners that are not on one line"),
        (((0.1, 0.1), (0.2, 0.2), (0.7, 0.7), (0.3, 0.3)), "no area"),
    ],
)
def test_a_zone_that_is_no_polygon(corners: tuple[Point, ...], wrong: str) -> None:
    with pytest.raises(ValueError, match=f"bay has {wrong}"):
        Zone("bay", corners)


@pytest.mark.parametrize(
    "corners",
    [
        ((0, 0), (9, 0), (9, 9), (0, 9), (0, 0)),
        ((0, 0), (4, 0), (9, 0), (9, 9)),
        ((0, 0), (9, 0), (5, 5), (9, 9), (0, 9), (5, 5)),
    ],
)
def test_a_zone_whose_edges_touch(corners: tuple[Point, ...]) -> None:
    assert Zone("bay", corners).depth((7, 1), (200, 200)) > 0


def test_ground() -> None:
    assert Ground.from_scale(0.5).distance((0, 0), (6, 8)) == 5
    tilted = Ground(((1, 0, 0), (0, 1, 0), (0, 0.1, 1)))
    assert tilted.distance((0, 0), (20, 10)) == pytest.approx(math.dist((0, 0), (10, 5)))
    assert tilted.distance((0, 0), (20, -10)) is None  # on the horizon
    assert tilted.distance((0, 0), (20, -30)) is None  # beyond it
    with pytest.raises(ValueError, match="inverted"):
        Ground(((1, 0, 0), (1, 0, 0), (0, 0, 1)))
    with pytest.raises(ValueError, match="can be inverted"):
        Ground(((0, 0, 0), (1, 0, 0), (0, 0, 1)))
    map_coordinates = ((0.01, 0, 500_000), (0, -0.01, 5_000_000), (0, 0, 1))
    assert Ground(map_coordinates).distance((0, 0), (30, 40)) == pytest.approx(0.5)


def test_what_is_outside_of_the_picture_is_said_to_be() -> None:
    assert Line("gate", (300, 0), (300, 90)).warning((200, 200)) == "gate is outside of the picture"
    bay = Zone("bay", ((-50, 10), (-10, 10), (-10, 50)))
    assert bay.warning((200, 200)) == "bay is outside of the picture"
    assert Zone("bay", ((-50, 10), (10, 10), (-10, 50))).warning((200, 200)) is None


def test_a_zone_in_a_corner_of_the_picture_is_in_other_units_than_pixels() -> None:
    bay = Zone("bay", ((0, 0), (1, 0), (1, 1), (0, 1)))
    warning = "bay is only a corner of the picture: its numbers are pixels"
    assert bay.warning((200, 200)) == warning
    assert bay.warning((10, 10)) is None
