"""Make the pictures that the README shows, with the shipped models.

`python -m scripts.pictures` writes
  docs/services.jpg           by each service, the photos that show what all of them know;
  docs/classifier.jpg         every photo of images/expected.csv, with its label and score;
  docs/segmentation.jpg       every photo of images/segmentation.txt, its mask, its overlay;
  docs/detection.jpg          the same photos with each thing outlined;
  docs/compare.jpg            a herd, by each shipped model;
  images/results/*_seg.png    the masks, which the tests compare with new ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from bentoml_img.classify import Classification, Classifier
from bentoml_img.detect import Detections, Detector
from bentoml_img.drawing.ink import font
from bentoml_img.drawing.instances import annotate
from bentoml_img.drawing.segmentation import BACKGROUND, colour_mask, overlay
from bentoml_img.images import encode_png, open_image, read_rgb
from bentoml_img.offline.compare import side_by_side, timed_masks
from bentoml_img.paths import ROOT, SHIPPED
from bentoml_img.result_names import MASK
from bentoml_img.segment import Segmentation, Segmenter
from bentoml_img.system.atomic import replacing, write
from scripts import samples

CAPTION, TEXT = 22, 15  # pixels in height
MARGIN = 3
GREEN, RED, GREY, BLACK = (0, 120, 40), (190, 30, 30), (110, 110, 110), (0, 0, 0)

# Width and height in pixels.
THUMBNAIL = 150, 150  # a photo among the classifier's
CELL = 250, 190  # a photo among those of all services
OUTLINED = 480, 330  # a photo among the detector's
PART = 320, 240  # a photo, its mask and its overlay, each


@dataclass(frozen=True)
class Cell:
    """A picture with a caption below."""

    picture: Image.Image
    caption: str
    colour: tuple[int, int, int] = BLACK


def grid(cells: Sequence[Cell], columns: int, size: tuple[int, int]) -> Image.Image:
    """The cells in rows, each picture within `size`."""
    width, height = size
    step = height + CAPTION
    sheet = Image.new("RGB", (columns * width, -(-len(cells) // columns) * step), "white")
    draw = ImageDraw.Draw(sheet)
    for i, cell in enumerate(cells):
        x, y = i % columns * width, i // columns * step
        sheet.paste(fitted(cell.picture, size), (x, y))
        place = x + width / 2, y + height
        draw.text(place, cell.caption, cell.colour, font(TEXT), anchor="ma")
    return sheet


def fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture as large as `size` allows, in the middle, with a margin."""
    inner = size[0] - 2 * MARGIN, size[1] - 2 * MARGIN
    return ImageOps.expand(ImageOps.pad(picture, inner, color="white"), MARGIN, "white")


def in_parts(photo: Image.Image, answer: Segmentation) -> Image.Image:
    """A photo, its mask and its overlay."""
    width, height = PART
    strip = Image.new("RGB", (3 * width, height))
    parts = photo, colour_mask(answer).convert("RGB"), overlay(photo, answer)
    for k, part in enumerate(parts):
        strip.paste(fitted(part, PART), (k * width, 0))
    return strip


def titled(sheets: dict[str, Image.Image]) -> Image.Image:
    """Sheets below each other, each below its title."""
    width = max(sheet.width for sheet in sheets.values())
    whole = Image.new("RGB", (width, sum(s.height + CAPTION for s in sheets.values())), "white")
    draw, y = ImageDraw.Draw(whole), 0
    for title, sheet in sheets.items():
        draw.text((MARGIN, y + 2), title, GREY, font(TEXT))
        whole.paste(sheet, (0, y + CAPTION))
        y += sheet.height + CAPTION
    return whole


def labelled(photo: Image.Image, answer: Classification, truth: str) -> Cell:
    """Green if right, red if wrong, grey if there is no right answer."""
    colour = GREY if truth == samples.NONE else GREEN if answer.label == truth else RED
    return Cell(photo, f"{answer.label} {answer.score:.2f}", colour)


def areas(answer: Segmentation) -> str:
    classes = (area for area in answer.areas() if area.id != BACKGROUND)
    return ", ".join(f"{area.label} {area.share:.0%}" for area in classes) or "background"


def things(found: Detections) -> str:
    return samples.counted(found.names[k] for k in found.labels) or "nothing"


def read(name: str, at_least: int | None = None) -> Image.Image:
    return read_rgb(samples.FOLDER / name, at_least)


def save(picture: Image.Image, path: Path) -> None:
    with replacing(path) as part:
        picture.save(part, "JPEG", quality=85)
    print(path.relative_to(ROOT))


def services_picture() -> None:
    classifier = Classifier.from_bundle(SHIPPED / "cifar_lite")
    segmenter = Segmenter.from_bundle(SHIPPED / "deeplabv3_lite")
    detector = Detector.from_bundle(SHIPPED / "maskrcnn_lite")
    truth = samples.labelled()
    rows: dict[str, list[Cell]] = {
        "PytorchImageClassifier": [],
        "PytorchImageSegment": [],
        "PytorchInstanceDetector": [],
    }
    labels, masks, outlines = rows.values()
    for name in samples.known_to_all():
        (label,) = classifier([read(name, classifier.decode_at_least)])
        photo = read(name)
        (mask,) = segmenter([photo])
        (found,) = detector([photo])
        labels.append(labelled(photo, label, truth[name]))
        masks.append(Cell(overlay(photo, mask), areas(mask)))
        outlines.append(Cell(annotate(photo, found), things(found)))
    sheets = {title: grid(cells, len(cells), CELL) for title, cells in rows.items()}
    save(titled(sheets), ROOT / "docs" / "services.jpg")


def classifier_picture() -> None:
    truth = samples.labelled()
    classifier = Classifier.from_bundle(SHIPPED / "cifar_lite")
    photos = [read(name, classifier.decode_at_least) for name in truth]
    cells = map(labelled, photos, classifier(photos), truth.values())
    save(grid(list(cells), 8, THUMBNAIL), ROOT / "docs" / "classifier.jpg")


def segmenter_pictures() -> None:
    segmenters = {
        name: Segmenter.from_bundle(SHIPPED / name) for name in ("fcn_lite", "deeplabv3_lite")
    }
    segmenter = segmenters["deeplabv3_lite"]
    cells = []
    for name in samples.scenes():
        photo = read(name)
        (answer,) = segmenter([photo])
        cells.append(Cell(in_parts(photo, answer), f"{name}: {areas(answer)}"))
    save(grid(cells, 2, (3 * PART[0], PART[1])), ROOT / "docs" / "segmentation.jpg")
    herd = (samples.FOLDER / "horse_herd.jpg").read_bytes()
    save(side_by_side(herd, timed_masks(herd, segmenters)), ROOT / "docs" / "compare.jpg")
    results = samples.FOLDER / "results"
    results.mkdir(exist_ok=True)
    for name in samples.scenes():
        answer = segmenter.segment_opened(open_image((samples.FOLDER / name).read_bytes()))
        target = results / f"{Path(name).stem}{MASK}.png"
        write(target, encode_png(colour_mask(answer)))
        print(target.relative_to(ROOT))


def detector_picture() -> None:
    detector = Detector.from_bundle(SHIPPED / "maskrcnn_lite")
    cells = []
    for name in samples.scenes():
        photo = read(name)
        (found,) = detector([photo])
        cells.append(Cell(annotate(photo, found), f"{name}: {things(found)}"))
    save(grid(cells, 4, OUTLINED), ROOT / "docs" / "detection.jpg")


def main() -> None:
    services_picture()
    classifier_picture()
    segmenter_pictures()
    detector_picture()


if __name__ == "__main__":
    main()
