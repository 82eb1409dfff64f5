import csv
import io
from dataclasses import asdict
from pathlib import Path

from PIL import Image

from bentoml_img.video.counting import Event
from bentoml_img.video.frames import Frame
from bentoml_img.video.places import Line, Zone
from bentoml_img.video.records import (
    EVENT_COLUMNS,
    HEADER,
    events_csv,
    frame_record,
    read_events,
    totals,
)
from bentoml_img.video.results import Visits
from bentoml_img.video.tracking import TrackedInstance
from tests.video.clips import found

BOX = (1.0, 2.0, 30.5, 40.25)
EVENTS = [
    Event(3, 0.3, 1, "car", "appeared", "", "", None, None, BOX),
    Event(5, 0.5, 1, "car", "crossed", "gate, north", "down", None, 31.5, BOX),
    Event(6, 0.6, 1, "car", "entered", "bay", "in", None, None, BOX),
    Event(9, 0.9, 1, "car", "left", "bay", "out", 0.3, None, BOX),
    Event(9, 0.9, 1, "car", "disappeared", "", "", None, None, BOX),
]


def test_a_frame() -> None:
    (mask,) = found([BOX]).masks
    instances = [
        TrackedInstance(7, "car", 0.87654321, BOX, mask, True),
        TrackedInstance(8, "person", 0.5, BOX, None, False),
    ]
    record = frame_record(Frame(4, 0.43333333, 0.1, Image.new("RGB", (64, 48))), instances)
    assert record["schema"] == 1
    assert (record["frame"], record["time"]) == (4, 0.4333)
    assert record["instances"] == [
        {
            "track_id": 7,
            "label": "car",
            "score": 0.8765,
            "box": [1.0, 2.0, 30.5, 40.25],
            "detected": True,
            "mask": asdict(mask.to_coco((64, 48))),
        },
        {
            "track_id": 8,
            "label": "person",
            "score": 0.5,
            "box": [1.0, 2.0, 30.5, 40.25],
            "detected": False,
            "mask": None,
        },
    ]


def test_events_as_csv(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text(HEADER + events_csv(EVENTS))
    first, crossed, *_ = read_events(path)
    assert list(first) == EVENT_COLUMNS
    assert first["seconds"] == first["km_h"] == ""
    assert crossed["place"] == "gate, north"
    assert (crossed["frame"], crossed["km_h"], crossed["x2"]) == ("5", "31.5", "30.5")


def test_totals() -> None:
    lines = [Line(name, (0, 0), (0, 9)) for name in ("gate, north", "gate, south")]
    zones = [Zone(name, ((0, 0), (0, 9), (9, 9))) for name in ("bay", "kerb")]
    found = totals(csv.DictReader(io.StringIO(HEADER + events_csv(EVENTS))), lines, zones)
    assert found == {
        "counts": {"car": 1},
        "crossings": {"gate, north": {"down": {"car": 1}}, "gate, south": {}},
        "zones": {
            "bay": Visits({"car": 1}, {"car": 1}, 0.3),
            "kerb": Visits({}, {}, 0),
        },
    }
