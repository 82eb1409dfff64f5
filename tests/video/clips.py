"""Clips whose truth is known: plain shapes that move in a straight line over a grey ground."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from bentoml_img.detect import DEFAULT_QUERY, Detections, Query
from bentoml_img.postprocessing.masks import InstanceMask
from bentoml_img.video.frames import Frame
from bentoml_img.video.reading import open_video

GROUND = (128, 128, 128)
NAMES = ("background", "car", "person")
SIZE = (160, 120)


@dataclass(frozen=True)
class Shape:
    """A rectangle of `size` in a colour of its own, at `start` (left, top) + `speed` × frame."""

    colour: tuple[int, int, int]
    label: int
    start: tuple[float, float]
    speed: tuple[float, float]
    size: tuple[int, int] = (24, 16)
    first: int = 0
    last: int = 10_000

    def box(self, frame: int) -> tuple[float, float, float, float] | None:
        """Where it is, in whole pixels; None where it is out of sight."""
        if not self.first <= frame <= self.last:
            return None
        left, top = (round(s + v * frame) for s, v in zip(self.start, self.speed, strict=True))
        box = (
            max(0, left),
            max(0, top),
            min(SIZE[0], left + self.size[0]),
            min(SIZE[1], top + self.size[1]),
        )
        return box if box[2] - box[0] > 3 and box[3] - box[1] > 3 else None


RED_CAR = Shape((230, 20, 20), 1, (-20, 30), (4, 0))
BLUE_CAR = Shape((20, 20, 230), 1, (160, 60), (-4, 0))
GREEN_WALKER = Shape((20, 200, 20), 2, (70, -10), (0, 3), (10, 22))
SHAPES = (RED_CAR, BLUE_CAR, GREEN_WALKER)


def picture(frame: int, shapes: Sequence[Shape] = SHAPES) -> Image.Image:
    image = Image.new("RGB", SIZE, GROUND)
    pen = ImageDraw.Draw(image)
    for shape in shapes:
        if box := shape.box(frame):
            pen.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), shape.colour)
    return image


def write_clip(
    path: Path,
    frames: int = 60,
    rate: int = 10,
    codec: str = "libx264",
    *,
    times: Sequence[Fraction] = (),
    pictures: Iterator[Image.Image] | None = None,
    audio: Sequence[str] = (),
    rotation: int = 0,
    aspect: Fraction = Fraction(1),
    size: tuple[int, int] = SIZE,
    options: dict[str, str] | None = None,
    encoding: dict[str, str] | None = None,
) -> Path:
    """Encode the shapes, or `pictures`, with a tone for sound in each codec of `audio`."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate, options=encoding)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        stream.codec_context.time_base = Fraction(1, 1000)
        if codec in ("mpeg4", "libvpx", "mpeg2video"):
            stream.codec_context.time_base = Fraction(1, rate)
            stream.bit_rate = 2_000_000
        if rotation:
            stream.set_display_rotation(rotation)
        sounds = [add_sound(container, name) for name in audio]
        container.start_encoding()
        made = pictures or (picture(k) for k in range(frames))
        for k, image in enumerate(made):
            frame = av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")
            frame.time_base = stream.codec_context.time_base
            frame.pts = round((times[k] if times else Fraction(k, rate)) / frame.time_base)
            container.mux(stream.encode(frame))
            for sound in sounds:
                container.mux(sound.encode(tone(k, rate)))
        container.mux(stream.encode(None))
        for sound in sounds:
            container.mux(sound.encode(None))
    return path


def differs(image: Image.Image, expected: Image.Image) -> float:
    """The mean difference of their pixels."""
    return float(np.abs(np.asarray(image, np.int16) - np.asarray(expected)).mean())


def write_gif(path: Path, delays: Sequence[int]) -> Path:
    """The shapes as a GIF, a frame for each delay, in milliseconds."""
    first, *rest = [picture(k) for k in range(len(delays))]
    first.save(path, save_all=True, append_images=rest, duration=list(delays), loop=0)
    return path


def add_sound(container: av.container.OutputContainer, codec: str) -> av.AudioStream:
    sound = container.add_stream(codec, 48000)
    assert isinstance(sound, av.AudioStream)
    sound.layout, sound.bit_rate = "mono", 64_000
    return sound


def tone(k: int, rate: int) -> av.AudioFrame:
    """As much of 440 Hz as frame k lasts."""
    n = 48000 // rate
    samples = np.sin(np.arange(k * n, (k + 1) * n) * 2 * np.pi * 440 / 48000) * 8000
    frame = av.AudioFrame.from_ndarray(samples.astype(np.int16)[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 48000, k * n, Fraction(1, 48000)
    return frame


def write_header(path: Path, side: int) -> None:
    """An AVI that says it has frames of that side."""
    with av.open(str(path), "w", format="avi") as container:
        stream = container.add_stream("mjpeg", 10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = side, side, "yuvj420p"
        packet = av.Packet(bytes(64))
        packet.stream, packet.time_base = stream, Fraction(1, 10)
        packet.pts = packet.dts = 0
        container.start_encoding()
        container.mux(packet)


TEXTS = {
    "text": "1\n00:00:01,000 --> 00:00:02,000\nNot a video, not at all.\n" * 20,
    "notes": "FFmpeg would show this as a terminal does.\n" * 20,
    "play list": "ffconcat version 1.0\nfile b.mp4\n",
}


def broken(folder: Path, what: str) -> Path:
    """A file that is called a.mp4, or what is there of it."""
    path = folder / "a.mp4"
    if what in TEXTS:
        write_clip(folder / "b.mp4")
        path = folder / ("a.mp4.txt" if what == "notes" else "a.mp4")
        path.write_text(TEXTS[what])
    elif what == "empty":
        path.touch()
    elif what == "no index":
        data = write_clip(path).read_bytes()
        path.write_bytes(data[: len(data) // 2])
    elif what == "no frames":
        write_clip(path, frames=0)
    elif what == "audio only":
        with av.open(str(path), "w") as container:
            sound = add_sound(container, "aac")
            for k in range(10):
                container.mux(sound.encode(tone(k, 10)))
            container.mux(sound.encode(None))
    elif what == "huge gif":
        gif = write_gif(folder / "a.gif", [50, 50]).read_bytes()
        path.write_bytes(gif[:6] + (10_000).to_bytes(2, "little") * 2 + gif[10:])
    elif what == "huge":
        write_header(path, 10_000)
    elif what == "an empty folder":
        path.mkdir()
    return path


def found(
    boxes: Sequence[Sequence[float]],
    labels: Sequence[int] | None = None,
    scores: Sequence[float] | None = None,
) -> Detections:
    """Detections with full masks."""
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array([1] * len(boxes) if labels is None else labels, np.int64),
        np.array([0.9] * len(boxes) if scores is None else scores, np.float32),
        tuple(
            InstanceMask(int(b[0]), int(b[1]), np.ones((int(b[3] - b[1]), int(b[2] - b[0])), bool))
            for b in boxes
        ),
        SIZE,
        NAMES,
    )


class ColourDetector:
    """Finds each shape by its colour, exactly but for what compression blurs."""

    def __init__(self, shapes: Sequence[Shape] = SHAPES) -> None:
        self.shapes = shapes
        self.calls = 0

    def __call__(
        self, images: Sequence[Image.Image], query: Query = DEFAULT_QUERY
    ) -> list[Detections]:
        self.calls += len(images)
        return [self._find(np.asarray(image).astype(np.int16)) for image in images]

    def _find(self, pixels: npt.NDArray[np.int16]) -> Detections:
        boxes, labels = [], []
        for shape in self.shapes:
            rows, columns = np.nonzero(np.abs(pixels - shape.colour).max(axis=2) < 60)
            if len(rows) >= 9:
                boxes.append((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
                labels.append(shape.label)
        return found(boxes, labels)


def read(path: Path) -> list[Frame]:
    """All frames of a video."""
    with open_video(path) as video:
        return list(video)
