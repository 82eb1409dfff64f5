"""Make the pictures that the README shows, with the shipped models.

`python -m scripts.pictures` writes docs/classifier.jpg: every photo of
images/expected.csv, with the classifier's label and score.
"""

import csv
import os
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from bentoml_img.classify import Classification, Classifier
from bentoml_img.images import load_rgb, open_image
from bentoml_img.shelf import ROOT

COLUMNS = 8
SIDE = 150
CAPTION = 22
GREEN, RED, GREY = (0, 120, 40), (190, 30, 30), (110, 110, 110)


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
        colour = GREY if truth == "none" else GREEN if answer.label == truth else RED
        caption = f"{answer.label} {answer.score:.2f}"
        draw.text((x + SIDE / 2, y + SIDE + 2), caption, colour, font, anchor="ma")
    return sheet


def save(picture: Image.Image, path: Path) -> None:
    temporary = path.with_suffix(".part")
    picture.save(temporary, "JPEG", quality=85)
    os.replace(temporary, path)


def main() -> None:
    with (ROOT / "images" / "expected.csv").open(newline="") as file:
        expected = {row["file"]: row["label"] for row in csv.DictReader(file)}
    classifier = Classifier.from_bundle(ROOT / "artifacts" / "cifar_net")
    photos = [
        load_rgb(open_image((ROOT / "images" / name).read_bytes()), classifier.decode_at_least)
        for name in expected
    ]
    answers = classifier(photos)
    target = ROOT / "docs" / "classifier.jpg"
    save(contact_sheet(photos, answers, list(expected.values())), target)
    print(target.relative_to(ROOT))


if __name__ == "__main__":
    main()
