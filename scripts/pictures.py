"""Make the pictures that the README shows, with the shipped models.

`python -m scripts.pictures` writes
  docs/services.jpg           by each service, the photos that show what all of them know;
  docs/classifier.jpg         every photo of images/expected.csv, with its label and score;
  docs/segmentation.jpg       every photo of images/segmentation.txt, its mask, its overlay;
  docs/detection.jpg          the same photos with each thing outlined;
  docs/compare.jpg            a herd, by each shipped model;
  images/results/*_seg.png    the masks, which the tests compare with new ones.
"""

from collections import Counter
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from bentoml_img.apply import MASK
from bentoml_img.atomic import beside, write
from bentoml_img.classify import Classification, Classifier
from bentoml_img.compare import side_by_side, timed_masks
from bentoml_img.detect import Detector
from bentoml_img.draw_instances import annotate
from bentoml_img.draw_masks import colour_mask, overlay
from bentoml_img.images import encode_png, load_rgb, open_image
from bentoml_img.segment import Segmenter
from bentoml_img.shelf import ROOT, SHIPPED
from scripts import samples

COLUMNS = 8
SIDE = 150
CAPTION = 22
GREEN, RED, GREY = (0, 120, 40), (190, 30, 30), (110, 110, 110)

TRIPLE = 960, 250  # a photo, its mask and its overlay, in pixels
CELL = 250, 190  # a photo in the picture of all services
OUTLINED = 480, 330  # a photo in the picture of the detector


def contact_sheet(
    photos: list[Image.Image], answers: list[Classification], expected: list[str]
) -> Image.Image:
    """The photos in rows, each above its label: green if right, red if wrong, grey if neither."""
    rows = -(-len(photos) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * SIDE, rows * (SIDE + CAPTION)), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(14)
    for i, (photo, answer, truth) in enumerate(zip(photos, answers, expected, strict=True)):
        x, y = i % COLUMNS * SIDE, i // COLUMNS * (SIDE + CAPTION)
        sheet.paste(ImageOps.pad(photo, (SIDE - 4, SIDE - 2), color="white"), (x + 2, y))
        colour = GREY if truth == samples.NONE else GREEN if answer.label == truth else RED
        caption = f"{answer.label} {answer.score:.2f}"
        draw.text((x + SIDE / 2, y + SIDE + 2), caption, colour, font, anchor="ma")
    return sheet


def triples(names: list[str], segmenter: Segmenter, columns: int) -> Image.Image:
    """Photos, each beside its mask and its overlay, so many in a row."""
    width, height = TRIPLE
    sheet = Image.new("RGB", (columns * width, -(-len(names) // columns) * height), "white")
    for i, name in enumerate(names):
        photo = read(name)
        (answer,) = segmenter([photo])
        parts = (photo, colour_mask(answer).convert("RGB"), overlay(photo, answer))
        for k, part in enumerate(parts):
            cell = ImageOps.contain(part, (width // 3 - 8, height - 8))
            x, y = i % columns * width + k * width // 3, i // columns * height
            sheet.paste(cell, (x + (width // 3 - cell.width) // 2, y))
    return sheet


def table(rows: dict[str, list[tuple[Image.Image, str]]]) -> Image.Image:
    """Rows of pictures, each row below its title and each picture above its caption."""
    width, height = CELL
    columns, step = max(map(len, rows.values())), height + 2 * CAPTION
    sheet = Image.new("RGB", (width * columns, step * len(rows)), "white")
    draw = ImageDraw.Draw(sheet)
    for row, (title, cells) in enumerate(rows.items()):
        y = row * step
        draw.text((4, y + 2), title, GREY, ImageFont.load_default(15))
        for column, (picture, caption) in enumerate(cells):
            x = column * width
            cell = ImageOps.pad(picture, (width - 6, height - 6), color="white")
            sheet.paste(cell, (x + 3, y + CAPTION + 3))
            place = x + width / 2, y + CAPTION + height
            draw.text(place, caption, "black", ImageFont.load_default(15), anchor="ma")
    return sheet


def outlined(names: list[str], detector: Detector, columns: int) -> Image.Image:
    """Photos with each thing outlined, so many in a row."""
    width, height = OUTLINED
    sheet = Image.new("RGB", (columns * width, -(-len(names) // columns) * height), "white")
    for i, name in enumerate(names):
        photo = read(name)
        (found,) = detector([photo])
        cell = ImageOps.pad(annotate(photo, found), (width - 6, height - 6), color="white")
        sheet.paste(cell, (i % columns * width + 3, i // columns * height + 3))
    return sheet


def read(name: str, at_least: int | None = None) -> Image.Image:
    return load_rgb(open_image((samples.FOLDER / name).read_bytes()), at_least)


def save(picture: Image.Image, path: Path) -> None:
    with beside(path) as part:
        picture.save(part, "JPEG", quality=85)
    print(path.relative_to(ROOT))


def services_picture() -> None:
    names = samples.known_to_all()
    classifier = Classifier.from_bundle(SHIPPED / "cifar_net")
    segmenter = Segmenter.from_bundle(SHIPPED / "deeplabv3_lite")
    detector = Detector.from_bundle(SHIPPED / "maskrcnn_lite")
    rows: dict[str, list[tuple[Image.Image, str]]] = {
        "PytorchImageClassifier": [],
        "PytorchImageSegment": [],
        "PytorchInstanceDetector": [],
    }
    labelled, masked, found = rows.values()
    for name in names:
        (label,) = classifier([read(name, classifier.decode_at_least)])
        photo = read(name)
        (mask,) = segmenter([photo])
        (things,) = detector([photo])
        areas = [area for area in mask.to_dict()["classes"] if area["id"]]
        counts = Counter(things.names[k] for k in things.labels)
        labelled.append((photo, f"{label.label} {label.score:.2f}"))
        masked.append(
            (overlay(photo, mask), ", ".join(f"{a['label']} {a['share']:.0%}" for a in areas))
        )
        found.append(
            (annotate(photo, things), ", ".join(f"{n} {label}" for label, n in counts.items()))
        )
    save(table(rows), ROOT / "docs" / "services.jpg")


def classifier_picture() -> None:
    expected = samples.labelled()
    classifier = Classifier.from_bundle(SHIPPED / "cifar_net")
    photos = [read(name, classifier.decode_at_least) for name in expected]
    sheet = contact_sheet(photos, classifier(photos), list(expected.values()))
    save(sheet, ROOT / "docs" / "classifier.jpg")


def segmenter_pictures() -> None:
    names = samples.scenes()
    segmenters = {
        name: Segmenter.from_bundle(SHIPPED / name) for name in ("fcn_lite", "deeplabv3_lite")
    }
    segmenter = segmenters["deeplabv3_lite"]
    save(triples(names, segmenter, columns=2), ROOT / "docs" / "segmentation.jpg")
    herd = (ROOT / "images" / "horse_herd.jpg").read_bytes()
    save(side_by_side(herd, timed_masks(herd, segmenters)), ROOT / "docs" / "compare.jpg")
    results = ROOT / "images" / "results"
    results.mkdir(exist_ok=True)
    for name in names:
        answer = segmenter.segment_opened(open_image((ROOT / "images" / name).read_bytes()))
        target = results / (Path(name).stem + MASK)
        write(target, encode_png(colour_mask(answer)))
        print(target.relative_to(ROOT))


def detector_picture() -> None:
    detector = Detector.from_bundle(SHIPPED / "maskrcnn_lite")
    save(outlined(samples.scenes(), detector, columns=4), ROOT / "docs" / "detection.jpg")


def main() -> None:
    services_picture()
    classifier_picture()
    segmenter_pictures()
    detector_picture()


if __name__ == "__main__":
    main()
