"""The clip of a street through the whole pipeline."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from bentoml_img.video.counting import Tally
from bentoml_img.video.options import Options
from bentoml_img.video.pipeline import Detect, process_video
from bentoml_img.video.places import Line, Zone
from bentoml_img.video.results import Result
from bentoml_img.video.tracking import TrackedInstance

FRAMES = 60
COLOURS = "colours:1 in fp32"
PLAIN = Options()
OPTIONS = replace(
    PLAIN,
    lines=(Line("gate", (80, 0), (80, 120)), Line("kerb", (0, 80), (160, 80))),
    zones=(Zone("bay", ((40, 10), (120, 10), (120, 110), (40, 110))),),
)


def outline(image: Image.Image, instances: Sequence[TrackedInstance], _: Tally) -> Image.Image:
    drawn = image.copy()
    pen = ImageDraw.Draw(drawn)
    for instance in instances:
        pen.rectangle(instance.box, outline="white")
    return drawn


def annotated(
    source: Path,
    output: Path,
    detect: Detect,
    options: Options = PLAIN,
    identity: str = COLOURS,
    **others: Any,
) -> Result:
    return process_video(source, output, detect, outline, options, identity=identity, **others)


def records(result: Result) -> tuple[str, str, dict[str, Any]]:
    summary = json.loads(result.summary.read_text())
    return result.tracks.read_text(), result.events.read_text(), summary
