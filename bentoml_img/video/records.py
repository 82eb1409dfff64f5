"""What is written beside a video: tracks, events, totals.

Tracks are JSON lines, a frame each; events are CSV, and every total in the
summary is a number of their rows.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from bentoml_img.video.counting import Event
from bentoml_img.video.frames import Frame
from bentoml_img.video.regions import Line, Zone
from bentoml_img.video.tracking import Instance

SCHEMA = 1  # of the lines of tracks and of the summary; goes up when a field changes its meaning

_BOX = ("x1", "y1", "x2", "y2")
EVENT_COLUMNS = [field.name for field in fields(Event) if field.name != "box"] + [*_BOX]
HEADER = ",".join(EVENT_COLUMNS) + "\n"


def frame_record(frame: Frame, instances: Iterable[Instance]) -> dict[str, Any]:
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
                "mask": instance.mask and instance.mask.to_coco(frame.image.size),
            }
            for instance in instances
        ],
    }


def rows(events: Iterable[Event]) -> str:
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


def summarize(
    rows: Iterable[dict[str, str]], lines: Iterable[Line], zones: Iterable[Zone]
) -> dict[str, Any]:
    """Totals of rows of events, also of lines and zones where there was none.

    `counts` are the tracks that appeared, by class; `crossings` by line,
    direction and class; `zones` have entries, exits and seconds spent in all.
    """
    counts: Counter[str] = Counter()
    crossings: dict[str, dict[str, Counter[str]]] = {line.name: {} for line in lines}
    visits: dict[str, dict[str, Any]] = {
        zone.name: {"entered": Counter(), "left": Counter(), "seconds": 0} for zone in zones
    }
    for row in rows:
        kind, label, place = row["kind"], row["label"], row["place"]
        if kind == "appeared":
            counts[label] += 1
        elif kind == "crossed":
            crossings[place].setdefault(row["direction"], Counter())[label] += 1
        elif kind in ("entered", "left"):
            zone = visits[place]
            zone[kind][label] += 1
            zone["seconds"] = round(zone["seconds"] + float(row["seconds"] or 0), 3)
    return {"counts": counts, "crossings": crossings, "zones": visits}
