"""What can be asked of a detector: which instances, and of a video how it is looked at."""

from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Le, MaxLen
from pydantic import AfterValidator, BaseModel, BeforeValidator, FiniteFloat

from bentoml_img.detect import MAX_INSTANCES, SCORE_THRESHOLD
from bentoml_img.video.pipeline import Options
from bentoml_img.video.regions import Line, Point, Zone

MAX_PLACES = 32  # lines, and zones


def _names(given: Any) -> Any:
    """Text with commas is a list of names."""
    return [name.strip() for name in given.split(",")] if isinstance(given, str) else given


def _listed(given: Any) -> Any:
    """Text, without a list around it, is the only one."""
    return [given] if isinstance(given, str) else given


def _numbers(given: Any) -> Any:
    return given.split(",") if isinstance(given, str) else given


def _line(numbers: tuple[float, ...]) -> tuple[float, ...]:
    _line_of("the line", numbers)
    return numbers


def _zone(numbers: tuple[float, ...]) -> tuple[float, ...]:
    _zone_of("the zone", numbers)
    return numbers


def _line_of(name: str, numbers: tuple[float, ...]) -> Line:
    if len(numbers) != 4:
        raise ValueError(f"{name} has {len(numbers)} numbers: give x1,y1,x2,y2 in pixels")
    return Line(name, numbers[:2], numbers[2:])


def _zone_of(name: str, numbers: tuple[float, ...]) -> Zone:
    if len(numbers) % 2:
        raise ValueError(f"{name} has {len(numbers)} numbers: give x,y of each corner in pixels")
    corners: tuple[Point, ...] = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    return Zone(name, corners)


Score = Annotated[float, Ge(0), Le(1)]
Names = Annotated[list[str] | None, BeforeValidator(_names)]
Count = Annotated[int, Ge(1), Le(MAX_INSTANCES)]
Numbers = Annotated[tuple[FiniteFloat, ...], BeforeValidator(_numbers)]
Lines = Annotated[
    list[Annotated[Numbers, AfterValidator(_line)]], MaxLen(MAX_PLACES), BeforeValidator(_listed)
]
Zones = Annotated[
    list[Annotated[Numbers, AfterValidator(_zone)]], MaxLen(MAX_PLACES), BeforeValidator(_listed)
]


class VideoRequest(BaseModel):
    """A video, and what is to be done with it.

    `every` Nth frame is detected; each `line`, "x1,y1,x2,y2", is counted across;
    the time within each `zone`, "x,y,x,y,x,y,…", is measured.
    """

    video: Path
    every: Annotated[int, Ge(1)] = 1
    line: Lines = []
    zone: Zones = []
    score_threshold: Score = SCORE_THRESHOLD
    classes: Names = None
    max_instances: Count = MAX_INSTANCES

    def options(self, model: str) -> Options:
        """The same for the pipeline; `model` names the detector."""
        return Options(
            every=self.every,
            lines=tuple(_line_of(f"line {k}", line) for k, line in enumerate(self.line, 1)),
            zones=tuple(_zone_of(f"zone {k}", zone) for k, zone in enumerate(self.zone, 1)),
            model=model,
        )
