"""What is written beside a video: tracks, events, totals.

Tracks are JSON lines, a frame each; events are CSV, and every total in the
summary is a number of their rows, or a sum of their seconds.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypedDict

from bentoml_img.video.counting import Event
from bentoml_img.video.frames import Frame
from bentoml_img.video.places import Line, Zone
from bentoml_img.video.results import Visits
from bentoml_img.video.tracking import TrackedInstance

SCHEMA = 1  # of the lines of tracks and of the summary; goes up when a field changes its meaning

_BOX = ("x1", "y1", "x2", "y2")
EVENT_COLUMNS = [field.name for field in fields(Event) if field.name != "box"] + [*_BOX]
HEADER = ",".join(EVENT_COLUMNS) + "\n"


def frame_record(frame: Frame, instances: Iterable[TrackedInstance]) -> dict[str, Any]:
    """The line of a frame: its number, its time in seconds, and its confirmed instances.

    Boxes are left, top, right, bottom in pixels; masks are COCO's compressed run
    lengths, null where none is known; `detected` is false for what was carried.
    """
    return {
        "schema": SCHEMA,
        "frame": frame.index,
        "time": round(frame.time, 4),
        "instances": [
            {
                "track_id": instance.track_id,
                "label": instance.label,
                "score": round(instance.score, 4),
                "box": [round(side, 2) for side in instance.box],
                "detected": instance.detected,
                "mask": instance.mask and asdict(instance.mask.to_coco(frame.image.size)),
            }
            for instance in instances
        ],
    }


def events_csv(events: Iterable[Event]) -> str:
    """Events as lines of CSV with EVENT_COLUMNS."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for event in events:
        row = {**vars(event), **dict(zip(_BOX, event.box, strict=True))}
        writer.writerow([row[column] for column in EVENT_COLUMNS])
    return text.getvalue()


def read_events(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV file of events, by the names of their columns."""
    with path.open(newline="") as stream:
        yield from csv.DictReader(stream)


class Totals(TypedDict):
    """The fields of a summary that are numbers of rows, or sums of their seconds."""

    counts: dict[str, int]
    crossings: dict[str, dict[str, dict[str, int]]]
    zones: dict[str, Visits]


def totals(rows: Iterable[dict[str, str]], lines: Iterable[Line], zones: Iterable[Zone]) -> Totals:
    """Of rows of events, also of lines and zones where there was none."""
    counts: dict[str, int] = {}
    crossings: dict[str, dict[str, dict[str, int]]] = {line.name: {} for line in lines}
    visits: dict[str, dict[str, dict[str, int]]] = {
        zone.name: {"entered": {}, "left": {}} for zone in zones
    }
    seconds = dict.fromkeys(visits, 0.0)
    for row in rows:
        kind, label, place = row["kind"], row["label"], row["place"]
        if kind == "appeared":
            _add(counts, label)
        elif kind == "crossed":
            _add(crossings[place].setdefault(row["direction"], {}), label)
        elif kind in ("entered", "left"):
            _add(visits[place][kind], label)
            seconds[place] += float(row["seconds"] or 0)
    spent = {
        name: Visits(**visit, seconds=round(seconds[name], 3)) for name, visit in visits.items()
    }
    return {"counts": counts, "crossings": crossings, "zones": spent}


def _add(counts: dict[str, int], label: str) -> None:
    counts[label] = counts.get(label, 0) + 1
