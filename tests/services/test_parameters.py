import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from bentoml_img.video.ground import Ground
from bentoml_img.video.places import Line, Zone
from services.errors import RequestRefused
from services.fields import Fields
from services.multipart import MAX_PARTS, Part
from services.parameters import MAX_PLACES, VideoRequest

VIDEO = Path("a.mp4")


def request(**given: Any) -> VideoRequest:
    return VideoRequest.model_validate({"video": VIDEO, **given})


@pytest.mark.parametrize(
    "line",
    ["1,2,3,4.5", ["1,2,3,4.5"], [[1, 2, 3, 4.5]], [1, 2, 3, 4.5], [" 1, 2, 3, 4.5"]],
    ids=str,
)
def test_a_line_is_text_or_numbers_alone_or_in_a_list(line: Any) -> None:
    assert request(line=line).options.lines == (Line("line 1", (1, 2), (3, 4.5)),)


@pytest.mark.parametrize(
    ("field", "items", "value"),
    [
        ("line", ["0,0,9,9", "a=9,0,0,9"], ["0,0,9,9", "a=9,0,0,9"]),
        ("line", ["[0,0,9,9]", "[9,0,0,9]"], [[0, 0, 9, 9], [9, 0, 0, 9]]),
        ("zone", ['{"numbers":[0,0,9,9,9,0]}', "0,9,9,0,9,9"], ["0,0,9,9,9,0", "0,9,9,0,9,9"]),
        ("line", ["0", "0", "9", "9"], [0, 0, 9, 9]),
        ("classes", ["dog", "cat"], ["dog", "cat"]),
    ],
)
def test_a_list_may_be_sent_item_by_item(field: str, items: list[str], value: Any) -> None:
    fields = Fields("video", VideoRequest)
    query = "&".join(f"{field}={item}" for item in items)
    sent = fields.values([Part("video", "a.mp4", spooled=True)], query.encode(), VIDEO)
    assert request(**sent) == request(**{field: value})


def test_a_list_in_a_list_is_not_taken_apart() -> None:
    fields = Fields("video", VideoRequest)
    query = b'line=["0,0,9,9","9,0,0,9"]&line=0,9,9,0'
    sent = fields.values([Part("video", "a.mp4", spooled=True)], query, VIDEO)
    with pytest.raises(RequestRefused, match="valid number"):
        fields.validate(sent)


def test_every_place_may_be_a_part_of_its_own() -> None:
    assert 2 * MAX_PLACES < MAX_PARTS


def test_several_lines_and_zones_are_numbered() -> None:
    options = request(line=["0,0,9,9", "9,0,0,9"], zone="0,0,9,0,9,9").options
    assert [line.name for line in options.lines] == ["line 1", "line 2"]
    assert options.zones == (Zone("zone 1", ((0, 0), (9, 0), (9, 9))),)
    assert (options.every, options.query.classes) == (1, None)


@pytest.mark.parametrize("line", ["north = 0,0,9,9", {"name": " north", "numbers": [0, 0, 9, 9]}])
def test_a_line_may_have_a_name(line: Any) -> None:
    options = request(line=[line, "9,0,0,9"]).options
    assert [line.name for line in options.lines] == ["north", "line 2"]
    assert request(line=line).options.lines == options.lines[:1]


def test_a_request_is_the_same_when_it_was_written_down() -> None:
    given = {
        "line": "north=0,0,9,9",
        "zone": [[0, 0, 9, 0, 9, 9]],
        "homography": "1,0,0,0,1,0,0,0,1",
    }
    asked = request(**given)
    arguments = {name: getattr(asked, name) for name in VideoRequest.model_fields}
    saved = json.loads(json.dumps(to_jsonable_python(arguments)))
    assert request(**saved) == asked


def test_speeds_need_a_measure_of_the_ground() -> None:
    gate = "0,0,9,9"
    assert request(line=gate, scale=10).options.ground == Ground.from_scale(0.1)
    flat = [0.1, 0, 0, 0, 0.1, 0, 0, 0, 1]
    for homography in (flat, ",".join(map(str, flat))):
        options = request(line=gate, homography=homography).options
        assert options.ground == Ground.from_numbers(flat)


@pytest.mark.parametrize("classes", ["car, person", ["car", "person"], ["car, person"]], ids=str)
def test_classes_are_text_or_a_list(classes: Any) -> None:
    assert request(classes=classes).options.query.classes == ("car", "person")


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("every", 0, "greater than or equal to 1"),
        ("every", 10**400, "less than or equal to 10000"),
        ("line", "1,2,3", "the line has 3 numbers: give x1,y1,x2,y2"),
        ("line", "1,2,3,x", "valid number"),
        ("line", "1,2,3,nan", "goes beyond 100,000 pixels"),
        ("line", {"name": "gate"}, "Field required"),
        ("line", {"nam": "gate", "numbers": [0, 0, 9, 9]}, "Unexpected keyword argument"),
        ("line", {"name": 7, "numbers": [0, 0, 9, 9]}, "valid string"),
        ("line", {"name": "gate", "numbers": 7}, "valid tuple"),
        ("line", "a\nb=0,0,9,9", "is no name of up to 40 plain letters"),
        ("line", 41 * "a" + "=0,0,9,9", "is no name of up to 40 plain letters"),
        ("line", "=1+1=0,0,9,9", "begins as a spreadsheet's formula does"),
        ("zone", {"name": " @sum", "numbers": [0, 0, 9, 0, 9, 9]}, "a spreadsheet's formula"),
        ("scale", 0, "greater than 0"),
        ("scale", True, "true and false are no numbers"),
        ("homography", "1,2,3", "has 3 numbers: give nine"),
        ("homography", [1, 2, 3, 4, 5, 6, 7, 8, 9], "can be inverted"),
        ("line", "1,2,1,2", "the line starts where it ends"),
        ("line", ["0,0,9,9"] * (MAX_PLACES + 1), "at most 32 items"),
        ("line", 7, "valid list"),
        ("line", [1, 2, 3], "the line has 3 numbers"),
        ("line", [1, 2, 3, True], "true and false are no numbers"),
        ("line", [True, 2, 3, 4], "true and false are no numbers"),
        ("line", "0,0,2e9,0", "the line goes beyond 100,000 pixels"),
        ("zone", "1,2,3,4", "the zone has fewer than three different corners"),
        ("zone", "5,5,5,5,5,5", "the zone has fewer than three different corners"),
        ("zone", "0,0,9,0,0,9,9,9", "the zone has edges that cross"),
        ("zone", "0,0,5,5,9,9", "the zone has no area"),
        ("zone", ",".join(["1,2"] * 101), "the zone has 202 numbers: give at most 200"),
        ("zone", "1,2,3,4,5", "the zone has 5 numbers"),
        ("score_threshold", 1.5, "less than or equal to 1"),
        ("score_threshold", "nan", "less than or equal to 1"),
        ("classes", 7, "valid list"),
        ("max_instances", 101, "less than or equal to 100"),
        ("max_instances", True, "true and false are no numbers"),
        ("score_threshold", False, "true and false are no numbers"),
        ("every", True, "true and false are no numbers"),
    ],
)
def test_what_is_wrong_is_said_with_its_field(field: str, value: Any, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        request(**{field: value})
    problem = caught.value.errors()[0]
    assert problem["loc"][0] == field
    assert says in problem["msg"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"scale": 10}, "speeds are measured across lines: give a line"),
        ({"scale": 10, "homography": "1,0,0,0,1,0,0,0,1"}, "give one of them"),
        ({"line": ["a=0,0,9,9", "a=9,0,0,9"]}, "two lines or zones are called 'a'"),
    ],
)
def test_fields_that_do_not_fit_together(given: dict[str, Any], says: str) -> None:
    fields = Fields("video", VideoRequest)
    with pytest.raises(RequestRefused, match=says) as caught:
        fields.validate({"video": VIDEO, **given})
    assert caught.value.field is None


@pytest.mark.parametrize(
    ("field", "value", "fits"),
    [
        ("line", "320,0,320,360", True),
        ("line", ["320,0,320,360", [0, 200, 640, 200]], True),
        ("line", [320, 0, 320, 360], True),
        ("line", [], True),
        ("line", [[1, 2, 3]], False),
        ("line", [1, 2, 3], False),
        ("line", 7, False),
        ("line", {"name": "north", "numbers": [0, 0, 9, 9]}, True),
        ("line", [{"numbers": [0, 0, 9, 9]}, "0,9,9,0"], True),
        ("line", {"name": "north"}, False),
        ("line", {"nam": "north", "numbers": [0, 0, 9, 9]}, False),
        ("homography", [1, 2, 3], False),
        ("zone", [[0, 0, 9, 0, 9, 9]], True),
        ("zone", [[0, 0, 9, 0]], False),
        ("classes", "person,car", True),
        ("classes", ["person", "car"], True),
        ("classes", None, True),
        ("classes", [7], False),
    ],
)
def test_the_schema_fits_what_is_taken(field: str, value: Any, fits: bool) -> None:
    schema = VideoRequest.model_json_schema()["properties"][field]
    assert OAS31Validator(schema).is_valid(value) == fits
    with nullcontext() if fits else pytest.raises(ValidationError):
        request(**{field: value})
