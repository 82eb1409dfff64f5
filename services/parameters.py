"""What can be asked of a detector: which instances, and of a video how it is looked at."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from annotated_types import Ge, Gt, Le, MaxLen
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    FiniteFloat,
    WithJsonSchema,
    model_validator,
)

from bentoml_img.detect import MAX_INSTANCES, SCORE_THRESHOLD, Query, split_names
from bentoml_img.video.ground import Ground
from bentoml_img.video.options import Options
from bentoml_img.video.places import (
    LONGEST_NAME,
    Line,
    PlaceSpec,
    Zone,
    lines_of,
    split_name,
    zones_of,
)

MAX_EVERY = 10_000  # a number of any length, divided by, is an error
MAX_PLACES = 32  # lines, and zones
MAX_NUMBERS = 200  # of a zone: each track is measured against all its sides, in each frame
NAMES = {
    "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}, {"type": "null"}]
}


def _names(given: Any) -> Any:
    """Text with commas is several names, alone and in a list."""
    match given:
        case str():
            return split_names(given)
        case list():
            split = (split_names(item) if isinstance(item, str) else [item] for item in given)
            return [name for names in split for name in names]
    return given


def _listed(given: Any) -> Any:
    """Put a list around a place that is given alone."""
    match given:
        case str() | dict() | [int() | float(), *_]:
            return [given]
    return given


def _numbers(given: Any) -> Any:
    if isinstance(given, list):
        return [_number(item) for item in given]
    return given.split(",") if isinstance(given, str) else given


def _place(given: Any) -> Any:
    """The fields of a place, of which its numbers may be given alone, or text as to the script."""
    match given:
        case str():
            name, numbers = split_name(given)
            return {"numbers": _numbers(numbers), "name": name}
        case list():
            return {"numbers": _numbers(given)}
        case {"numbers": numbers}:
            return {**given, "numbers": _numbers(numbers)}
    return given


def _line(given: PlaceSpec) -> PlaceSpec:
    Line.from_numbers("the line", given.numbers)
    return given


def _zone(given: PlaceSpec) -> PlaceSpec:
    if len(given.numbers) > MAX_NUMBERS:
        raise ValueError(f"the zone has {len(given.numbers)} numbers: give at most {MAX_NUMBERS}")
    Zone.from_numbers("the zone", given.numbers)
    return given


def _homography(numbers: tuple[float, ...]) -> tuple[float, ...]:
    Ground.from_numbers(numbers)
    return numbers


def _number(given: Any) -> Any:
    if isinstance(given, bool):
        raise ValueError("true and false are no numbers")
    return given


def _places(least: int, most: int) -> dict[str, Any]:
    """The schema of places of so many numbers each: numbers, text, or numbers and a name; one
    alone or a list.

    An array comes first: BentoML's own description has no other kind.
    """
    numbers = _array(least, most)
    text = {"type": "string"}
    name = {"type": "string", "maxLength": LONGEST_NAME}
    named = {
        "type": "object",
        "properties": {"numbers": numbers, "name": name},
        "required": ["numbers"],
        "additionalProperties": False,
    }
    place = [numbers, text, named]
    places = {"type": "array", "items": {"anyOf": place}, "maxItems": MAX_PLACES}
    return {"anyOf": [places, *place]}


def _array(least: int, most: int) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "number"}, "minItems": least, "maxItems": most}


Score = Annotated[float, Ge(0), Le(1), BeforeValidator(_number)]
Names = Annotated[list[str] | None, BeforeValidator(_names), WithJsonSchema(NAMES)]
Count = Annotated[int, Ge(1), Le(MAX_INSTANCES), BeforeValidator(_number)]
Lines = Annotated[
    list[Annotated[PlaceSpec, BeforeValidator(_place), AfterValidator(_line)]],
    MaxLen(MAX_PLACES),
    BeforeValidator(_listed),
    WithJsonSchema(_places(4, 4)),
]
Zones = Annotated[
    list[Annotated[PlaceSpec, BeforeValidator(_place), AfterValidator(_zone)]],
    MaxLen(MAX_PLACES),
    BeforeValidator(_listed),
    WithJsonSchema(_places(6, MAX_NUMBERS)),
]
Scale = Annotated[FiniteFloat, Gt(0), BeforeValidator(_number)]
Homography = Annotated[
    tuple[FiniteFloat, ...],
    BeforeValidator(_numbers),
    AfterValidator(_homography),
    WithJsonSchema({"anyOf": [_array(9, 9), {"type": "string"}]}),
]


class VideoRequest(BaseModel):
    """A video, and what is to be done with it.

    `every` Nth frame is detected; each `line`, "x1,y1,x2,y2", is counted across;
    the time within each `zone`, "x,y,x,y,x,y,…", is measured. `scale`, how many pixels
    are a metre, or `homography` give speeds.
    """

    video: Path
    every: Annotated[int, Ge(1), Le(MAX_EVERY), BeforeValidator(_number)] = 1
    line: Lines = []
    zone: Zones = []
    scale: Scale | None = None
    homography: Homography | None = None
    score_threshold: Score = SCORE_THRESHOLD
    classes: Names = None
    max_instances: Count = MAX_INSTANCES

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        _ = self.options  # which says what does not
        return self

    @property
    def options(self) -> Options:
        """The request as the pipeline takes it."""
        return Options(
            every=self.every,
            query=query_of(self.score_threshold, self.classes, self.max_instances),
            lines=lines_of(self.line),
            zones=zones_of(self.zone),
            ground=Ground.of(self.scale, self.homography),
        )


def query_of(score_threshold: float, classes: Sequence[str] | None, max_instances: int) -> Query:
    """What is asked of a detector, from the parameters of a request."""
    names = None if classes is None else tuple(classes)
    return Query(score_threshold=score_threshold, classes=names, max_instances=max_instances)
