"""Make the pictures that the README shows, with the shipped models.

`python -m scripts.pictures` writes
  docs/classifier.jpg         every photo of images/expected.csv, with its label and score;
  docs/segmentation.jpg       every photo of images/segmentation.txt, its mask, its overlay;
  docs/compare.jpg            a herd, by each shipped model;
  images/results/*_seg.png    the masks, which the tests compare with new ones.
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from bentoml_img.apply import MASK
from bentoml_img.atomic import beside, write
from bentoml_img.classify import Classification, Classifier
from bentoml_img.compare import side_by_side, timed_masks
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
        photo = load_rgb(open_image((ROOT / "images" / name).read_bytes()))
        (answer,) = segmenter([photo])
        parts = (photo, colour_mask(answer).convert("RGB"), overlay(photo, answer))
        for k, part in enumerate(parts):
            cell = ImageOps.contain(part, (width // 3 - 8, height - 8))
            x, y = i % columns * width + k * width // 3, i // columns * height
            sheet.paste(cell, (x + (width // 3 - cell.width) // 2, y))
    return sheet


def save(picture: Image.Image, path: Path) -> None:
    with beside(path) as part:
        picture.save(part, "JPEG", quality=85)
    print(path.relative_to(ROOT))


def classifier_picture() -> None:
    expected = samples.labelled()
    classifier = Classifier.from_bundle(SHIPPED / "cifar_net")
    photos = [
        load_rgb(open_image((ROOT / "images" / name).read_bytes()), classifier.decode_at_least)
        for name in expected
    ]
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


def main() -> None:
    classifier_picture()
    segmenter_pictures()


if __name__ == "__main__":
    main()
