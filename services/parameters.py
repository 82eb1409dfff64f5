"""What can be asked of a detector: which instances, and of a video how it is looked at."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Le, MaxLen
from pydantic import AfterValidator, BaseModel, BeforeValidator, FiniteFloat, WithJsonSchema

from bentoml_img.detect import MAX_INSTANCES, SCORE_THRESHOLD, Query
from bentoml_img.video.options import Options
from bentoml_img.video.regions import Line, Zone

MAX_EVERY = 10_000  # a number of any length, divided by, is an error
MAX_PLACES = 32  # lines, and zones
MAX_NUMBERS = 200  # of a zone: each track is measured against all its sides, in each frame
NAMES = {
    "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}, {"type": "null"}]
}


def _names(given: Any) -> Any:
    """Text with commas is a list of names."""
    return [name.strip() for name in given.split(",")] if isinstance(given, str) else given


def _listed(given: Any) -> Any:
    """Put a list around a text or a number that is given alone."""
    match given:
        case str() | [int() | float(), *_]:
            return [given]
    return given


def _numbers(given: Any) -> Any:
    if isinstance(given, list):
        return [_number(item) for item in given]
    return given.split(",") if isinstance(given, str) else given


def _line(numbers: tuple[float, ...]) -> tuple[float, ...]:
    Line.from_numbers("the line", numbers)
    return numbers


def _zone(numbers: tuple[float, ...]) -> tuple[float, ...]:
    Zone.from_numbers("the zone", numbers)
    return numbers


def _number(given: Any) -> Any:
    if isinstance(given, bool):
        raise ValueError("true and false are no numbers")
    return given


def _places(least: int, most: int) -> dict[str, Any]:
    """The schema of places of so many numbers each: numbers or text, one alone or a list.

    An array comes first: BentoML's own description has no other kind.
    """
    place = {"type": "array", "items": {"type": "number"}, "minItems": least, "maxItems": most}
    text = {"type": "string"}
    places = {"type": "array", "items": {"anyOf": [place, text]}, "maxItems": MAX_PLACES}
    return {"anyOf": [places, place, text]}


Score = Annotated[float, Ge(0), Le(1), BeforeValidator(_number)]
Names = Annotated[list[str] | None, BeforeValidator(_names), WithJsonSchema(NAMES)]
Count = Annotated[int, Ge(1), Le(MAX_INSTANCES), BeforeValidator(_number)]
Numbers = Annotated[tuple[FiniteFloat, ...], MaxLen(MAX_NUMBERS), BeforeValidator(_numbers)]
Lines = Annotated[
    list[Annotated[Numbers, AfterValidator(_line)]],
    MaxLen(MAX_PLACES),
    BeforeValidator(_listed),
    WithJsonSchema(_places(4, 4)),
]
Zones = Annotated[
    list[Annotated[Numbers, AfterValidator(_zone)]],
    MaxLen(MAX_PLACES),
    BeforeValidator(_listed),
    WithJsonSchema(_places(6, MAX_NUMBERS)),
]


class VideoRequest(BaseModel):
    """A video, and what is to be done with it.

    `every` Nth frame is detected; each `line`, "x1,y1,x2,y2", is counted across;
    the time within each `zone`, "x,y,x,y,x,y,…", is measured.
    """

    video: Path
    every: Annotated[int, Ge(1), Le(MAX_EVERY), BeforeValidator(_number)] = 1
    line: Lines = []
    zone: Zones = []
    score_threshold: Score = SCORE_THRESHOLD
    classes: Names = None
    max_instances: Count = MAX_INSTANCES

    def options(self, model: str, precision: str) -> Options:
        """The request as the pipeline takes it, for a detector of that name, in that precision."""
        return Options.from_numbers(
            every=self.every,
            query=query_of(self.score_threshold, self.classes, self.max_instances),
            lines=self.line,
            zones=self.zone,
            model=model,
            precision=precision,
        )


def query_of(score_threshold: float, classes: Sequence[str] | None, max_instances: int) -> Query:
    """What is asked of a detector, from the parameters of a request."""
    names = None if classes is None else tuple(classes)
    return Query(score_threshold=score_threshold, classes=names, max_instances=max_instances)
