"""Make the sample clip: cut-outs of vehicles and people that pass before a photo.

`python -m scripts.clip` writes
  videos/3.gif          14 seconds of a street, seen by a camera that stands still;
  videos/3.truth.json   who crosses its middle, when and which way;
  videos/3_result.*     what the shipped detector makes of it, counted there.

What moves how is known here, so the counts of a detector and a tracker can be
held against the truth.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from bentoml_img.paths import ROOT
from bentoml_img.video.frames import Frame
from bentoml_img.video.writing import writing_video

VIDEOS = ROOT / "videos"
CLIP = VIDEOS / "3.gif"
SIZE = 640, 360
MIDDLE = SIZE[0] // 2, 0, SIZE[0] // 2, SIZE[1]  # a line from the top down
RATE = 10  # frames a second
SECONDS = 14
HORIZON = 214  # pixels from the top: where the photo ends and the pavement begins
KERB = 250
DETAIL = 4  # sub-pixels, so that slow things move smoothly


@dataclass(frozen=True)
class Actor:
    """A cut-out on its way: `length` pixels long, its wheels or feet at `ground`.

    Its front comes into the picture after `start` seconds, at `speed` pixels a
    second, from the left if that is positive. `parts` are shown in turn.
    """

    label: str
    parts: tuple[str, ...]
    faces_right: bool
    length: int
    ground: int
    start: float
    speed: float

    def left(self, time: float) -> float:
        """Where its left side is, in pixels."""
        way = self.speed * (time - self.start)
        return way - self.length if self.speed > 0 else SIZE[0] + way

    def crosses(self) -> float:
        """When its middle is in the middle of the picture, in seconds."""
        return self.start + (SIZE[0] + self.length) / 2 / abs(self.speed)

    def shown(self, time: float) -> Image.Image:
        """The cut-out at that time, with its shadow below it, `DETAIL` times as large."""
        step = int(time * 3) % len(self.parts)
        return _cut_out(self.parts[step], self.length, self.faces_right != (self.speed > 0))


FAR, NEAR, PAVEMENT = 292, 342, 246
ACTORS = (
    Actor("person", ("fireman200b", "fireman240a"), False, 34, PAVEMENT, 0.5, -50),
    Actor("person", ("fireman240a", "fireman200b"), False, 34, PAVEMENT - 3, 2.6, 58),
    Actor("car", ("beetle",), False, 112, FAR, 0.2, -150),
    Actor("bus", ("green_korean_bus",), False, 262, FAR, 3.0, -130),
    Actor("car", ("sedan",), True, 138, FAR, 7.4, -160),
    Actor("truck", ("garbagetruck",), False, 226, FAR, 9.0, -140),
    Actor("car", ("sedan",), True, 160, NEAR, 0.0, 200),
    Actor("car", ("sportscar2",), True, 156, NEAR, 2.4, 260),
    Actor("car", ("truck",), True, 176, NEAR, 4.4, 170),
    Actor("car", ("beetle",), False, 132, NEAR, 6.4, 170),
    Actor("truck", ("firetruck",), False, 262, NEAR, 8.6, 190),
)


@cache
def _cut_out(name: str, length: int, mirrored: bool) -> Image.Image:
    with Image.open(VIDEOS / "parts" / f"{name}.png") as file:
        part = file.convert("RGBA")
    part = part.crop(part.getbbox())
    if name.startswith("fireman"):  # both as tall as each other, however far they stride
        width = round(length * DETAIL * part.width / part.height * 2.2)
        height = round(length * DETAIL * 2.2)
    else:
        width, height = length * DETAIL, round(length * DETAIL * part.height / part.width)
    part = part.resize((width, height), Image.Resampling.LANCZOS)
    if mirrored:
        part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    depth = max(8, height // 10)
    canvas = Image.new("RGBA", (max(width, length * DETAIL), height + depth))
    left = (canvas.width - width) // 2
    shadow = Image.new("L", canvas.size)
    ImageDraw.Draw(shadow).ellipse(
        (left + width // 30, height - depth, left + width - width // 30, height + depth - 1),
        fill=150,
    )
    canvas.putalpha(shadow.filter(ImageFilter.GaussianBlur(depth / 3)))
    canvas.alpha_composite(part, (left, 0))
    return canvas


def background() -> Image.Image:
    """The photo, before it a pavement and a road with two lanes."""
    width, height = SIZE
    with Image.open(ROOT / "images" / "street_berlin.jpg") as photo:
        scale = width / photo.width
        below = photo.height - 24  # the meadow at its foot
        scene = photo.resize((width, HORIZON), box=(0, below - HORIZON / scale, photo.width, below))
    canvas = Image.new("RGB", SIZE)
    canvas.paste(scene)
    rows = np.zeros((height - HORIZON, width, 3), np.float32)
    rows[: KERB - HORIZON] = (158, 152, 146)
    rows[KERB - HORIZON :] = (92, 93, 97)
    noise = np.random.default_rng(3).normal(0, 5, rows.shape[:2])[..., None]
    ground = Image.fromarray((rows + noise).clip(0, 255).astype(np.uint8))
    canvas.paste(ground.filter(ImageFilter.GaussianBlur(0.7)), (0, HORIZON))
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, KERB, width, KERB + 3), (190, 186, 180))
    for x in range(-20, width, 90):
        draw.polygon([(x, 302), (x + 44, 302), (x + 42, 305), (x - 2, 305)], (214, 214, 210))
    return canvas


def frames() -> Iterator[Frame]:
    """The clip's frames."""
    scene = background()
    for index in range(SECONDS * RATE):
        time = index / RATE
        canvas = scene.copy()
        for actor in ACTORS:
            _place(canvas, actor, time)
        yield Frame(index, time, 1 / RATE, canvas)


def _place(canvas: Image.Image, actor: Actor, time: float) -> None:
    cut_out = actor.shown(time)
    fine = round(actor.left(time) * DETAIL)
    left, shift = divmod(fine, DETAIL)
    if left >= SIZE[0] or fine + cut_out.width <= 0:
        return
    width = -(-(cut_out.width + shift) // DETAIL)
    height = -(-cut_out.height // DETAIL)
    large = Image.new("RGBA", (width * DETAIL, height * DETAIL))
    large.paste(cut_out, (shift, 0))
    small = large.resize((width, height), Image.Resampling.BOX)
    depth = round(cut_out.height / 11 / DETAIL)
    canvas.paste(small, (left, actor.ground - height + depth), small)


def truth() -> dict[str, object]:
    """The line in the middle, and who crosses it, in the order of time."""
    crossings = [
        {
            "label": actor.label,
            "to": "right" if actor.speed > 0 else "left",
            "time": round(actor.crosses(), 2),
        }
        for actor in sorted(ACTORS, key=Actor.crosses)
        if actor.crosses() < SECONDS
    ]
    return {"line": [*MIDDLE], "crossings": crossings}


def count(*options: str) -> str:
    """Let the shipped detector count what crosses the middle; the path of the result.

    `options` are more of the script's. CalledProcessError if it fails.
    """
    command = [sys.executable, "bentoml_img_detect.py", str(CLIP.relative_to(ROOT))]
    command += ["--line", ",".join(map(str, MIDDLE)), *options]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return run.stdout.splitlines()[0]


def main() -> None:
    with writing_video(CLIP, SIZE, RATE) as writer:
        for frame in frames():
            writer.write(frame, frame.image)
    (VIDEOS / "3.truth.json").write_text(json.dumps(truth(), indent=2) + "\n")
    print(CLIP.relative_to(ROOT))
    print(count())


if __name__ == "__main__":
    main()
