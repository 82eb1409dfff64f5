"""Photos with the instances in them drawn, without a server."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from bentoml_img.detect import Detections
from bentoml_img.drawing.instances import annotate
from bentoml_img.files import reading, write_result
from bentoml_img.images import ENCODERS, read_rgb


def annotate_photo(
    source: Path, target: Path, detect: Callable[[Sequence[Image.Image]], Sequence[Detections]]
) -> Detections:
    """Draw what is detected in a photo into `target`; FileError if that cannot be."""
    with reading(source):
        photo = read_rgb(source)
        (found,) = detect([photo])
        drawn = ENCODERS[target.suffix.lower()](annotate(photo, found))
    write_result(target, drawn)
    return found
