"""Pictures of a detector's answers: masks, boxes and labels over photos and frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from bentoml_img.arrays import BoolArray
from bentoml_img.detect import Detections
from bentoml_img.drawing.ink import INK, MIN_TEXT, PAPER, font
from bentoml_img.images import LUMA
from bentoml_img.palettes import instance_colour
from bentoml_img.postprocessing.masks import InstanceMask

if TYPE_CHECKING:
    from bentoml_img.video.counting import Tally
    from bentoml_img.video.tracking import TrackedInstance

OPACITY = 0.4  # of a mask, but for its edge
LINE_WIDTH = 1 / 450  # as all sizes: a share of the root of the picture's width times height
TEXT_HEIGHT = 1 / 48


def annotate(photo: Image.Image, detections: Detections) -> Image.Image:
    """An RGB photo with its instances: masks, boxes, and labels with their scores.

    Colours are by class. Lines and text grow with the picture. The first are
    labelled first; an instance goes without a label if there is no free place for
    it at its box.
    """
    labels = detections.labels.tolist()
    rows = zip(labels, detections.scores, detections.boxes_xyxy, detections.masks, strict=True)
    things = [
        _Thing(box.tolist(), mask, instance_colour(label), f"{detections.names[label]} {score:.0%}")
        for label, score, box, mask in rows
    ]
    return _draw(photo, things, {})


def annotate_tracks(
    frame: Image.Image,
    tracks: "Sequence[TrackedInstance]",
    tally: "Tally",
    places: Mapping[str, Sequence[tuple[float, float]]],
) -> Image.Image:
    """A frame of a video with its tracks: as `annotate` draws instances, but with a colour for each
    track, and the track's number in its label.

    The oldest come first, so that labels stay where they are from frame to frame.
    `places` are lines (two points) and zones (more), by name, in white, with what was
    counted there by now.
    """
    things = [
        _Thing(
            track.box,
            track.mask,
            instance_colour(track.track_id),
            f"#{track.track_id} {track.label} {track.score:.0%}",
        )
        for track in sorted(tracks, key=lambda track: track.track_id)
    ]
    captioned = {_caption(name, tally.get(name, {})): points for name, points in places.items()}
    return _draw(frame, things, captioned)


def _caption(place: str, counts: Mapping[str, int]) -> str:
    """Such as "line 1: 12 right, 7 left"."""
    told = ", ".join(f"{number} {what}" for what, number in counts.items())
    return f"{place}: {told}" if told else place


@dataclass(frozen=True)
class _Thing:
    box: Sequence[float]
    mask: InstanceMask | None
    colour: tuple[int, int, int]
    caption: str


def _draw(
    photo: Image.Image,
    things: Sequence[_Thing],
    places: Mapping[str, Sequence[tuple[float, float]]],
) -> Image.Image:
    """Masks, the largest first, then places, boxes and labels. The first things are on top."""
    canvas = photo.copy()
    root = (photo.width * photo.height) ** 0.5
    line = max(1, round(root * LINE_WIDTH))
    masked = [(thing.mask, thing.colour) for thing in things if thing.mask]
    for mask, colour in sorted(masked, key=lambda pair: -pair[0].pixels.size):
        _tint(canvas, mask, colour, line)
    pen = ImageDraw.Draw(canvas)
    text = max(MIN_TEXT, round(root * TEXT_HEIGHT))
    letters = font(text)
    for caption, points in places.items():
        outline = [*points, points[0]] if len(points) > 2 else list(points)
        for colour, width in ((INK, line + 2), (PAPER, line)):
            pen.line(outline, colour, width)
        written = pen.textbbox(points[0], caption, letters, anchor="ls", stroke_width=line)
        start = _moved_in(points[0], written, photo.size)
        pen.text(start, caption, PAPER, letters, anchor="ls", stroke_width=line, stroke_fill=INK)
    boxes = [_in_picture(thing.box, photo.size) for thing in things]
    for thing, box in zip(reversed(things), reversed(boxes), strict=True):
        pen.rectangle(_grown(box, 1), outline=INK, width=line + 2)
        pen.rectangle(box, outline=thing.colour, width=line)
    taken: list[tuple[int, int, int, int]] = []
    for thing, box in zip(things, boxes, strict=True):
        size = round(letters.getlength(thing.caption)) + text // 2, round(1.3 * text)
        if place := _free_place(box, size, photo.size, taken):
            taken.append(place)
            luma = sum(part * level for part, level in zip(LUMA, thing.colour, strict=True))
            pen.rectangle(place, thing.colour)
            middle = place[0] + text // 4, (place[1] + place[3]) // 2
            pen.text(middle, thing.caption, INK if luma > 128 else PAPER, letters, anchor="lm")
    return canvas


def _moved_in(
    point: tuple[float, float], box: Sequence[float], size: tuple[int, int]
) -> tuple[float, float]:
    """A point, moved as little as brings the box of what is written at it into the picture."""
    x, y = (at + max(-box[k], min(0, size[k] - box[k + 2])) for k, at in enumerate(point))
    return x, y


def _in_picture(box: Sequence[float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The pixels at a box's corners."""
    (left, right), (top, bottom) = (
        (min(max(round(box[axis]), 0), size[axis] - 1), min(round(box[axis + 2]), size[axis]) - 1)
        for axis in (0, 1)
    )
    return left, top, max(left, right), max(top, bottom)


def _grown(box: tuple[int, int, int, int], by: int) -> tuple[int, int, int, int]:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def _tint(canvas: Image.Image, mask: InstanceMask, colour: tuple[int, int, int], line: int) -> None:
    """Lay a colour over the pixels of a mask, opaque at its edge, within its box."""
    inside = _inner(mask.pixels, line)
    opacity = np.where(inside, np.uint8(255 * OPACITY), np.uint8(255)) * mask.pixels
    if opacity.size:
        canvas.paste(colour, (mask.x, mask.y), Image.fromarray(opacity))


def _inner(pixels: BoolArray, by: int) -> BoolArray:
    """The pixels of a mask whose neighbours `by` pixels away, on all four sides, are in it, too."""
    inside = pixels.copy()
    for lines, of in ((inside, pixels), (inside.T, pixels.T)):
        lines[by:] &= of[:-by]
        lines[:-by] &= of[by:]
        lines[:by] = lines[-by:] = False
    return inside


def _free_place(
    box: tuple[int, int, int, int],
    size: tuple[int, int],
    picture: tuple[int, int],
    taken: Sequence[tuple[int, int, int, int]],
) -> tuple[int, int, int, int] | None:
    """Where a label of that size goes: above its box, else inside, else below, clear of others.

    At the box's left side, or else at its right.
    """
    width, height = size
    for start in (box[0], box[2] - width):
        left = max(0, min(start, picture[0] - width))
        for top in (box[1] - height, box[1], box[3]):
            place = left, top, left + width, top + height
            if 0 <= top <= max(0, picture[1] - height) and not any(_meet(place, t) for t in taken):
                return place
    return None


def _meet(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return all(one[i] < other[i + 2] and other[i] < one[i + 2] for i in (0, 1))
