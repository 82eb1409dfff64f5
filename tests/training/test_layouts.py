import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from bentoml_img.segment import Segmenter
from bentoml_img.training.detection.data import read_instances
from bentoml_img.training.detection.truth import Truth
from bentoml_img.training.errors import DatasetError, UnusableFile
from bentoml_img.training.layouts import Sample, load_photo, read_voc
from bentoml_img.training.segmentation.data import class_shares, read_coco
from bentoml_img.training.segmentation.evaluation import figures
from tests.segmenters import manifest_of
from tests.training.streets import write_streets

IMAGE = {"id": 1, "file_name": "a.png", "width": 8, "height": 8}
MISSING = object()


def read_masks(root: Path, split: str) -> list[Sample]:
    return read_coco(root, split, root / "masks")


READERS = (read_instances, read_masks, Truth.read)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        json.dumps({"images": [{"id": 1}], "annotations": []}),
        json.dumps({"images": [IMAGE], "annotations": [{}]}),
        json.dumps({"images": [IMAGE], "annotations": [{"image_id": 1}]}),
        json.dumps({"images": [], "annotations": []}),
    ],
)
def test_damaged_annotations_are_named(tmp_path: Path, text: str) -> None:
    root = write_streets(tmp_path, 1)
    (root / "annotations" / "instances_train.json").write_text(text)
    for read in READERS:
        with pytest.raises(DatasetError, match=r"instances_train\.json"):
            read(root, "train")


@pytest.mark.parametrize(
    ("part", "damage"),
    [
        ("images", {"width": MISSING}),
        ("images", {"file_name": MISSING}),
        ("annotations", {"category_id": MISSING}),
        ("annotations", {"area": MISSING}),
        ("annotations", {"area": None}),
        ("annotations", {"bbox": MISSING}),
        ("annotations", {"bbox": [1, 2]}),
        ("annotations", {"segmentation": 5}),
        ("annotations", {"segmentation": [["a"] * 6]}),
        ("annotations", {"segmentation": {"size": [64, 128], "counts": "o"}}),
        ("annotations", {"segmentation": {"size": [64, 128], "counts": [1, 9000]}}),
        ("annotations", {"segmentation": {"size": [32, 64], "counts": [0, 2048]}}),
        ("annotations", {"segmentation": {"size": [128, 64], "counts": [0, 8192]}}),
    ],
)
def test_damage_of_one_annotation_is_named_before_anything_is_learned_or_measured(
    tmp_path: Path, part: str, damage: dict[str, Any]
) -> None:
    root = write_streets(tmp_path, 2)
    file = root / "annotations" / "instances_train.json"
    content = json.loads(file.read_text())
    damaged = {**content[part][1], **damage}
    content[part][1] = {name: value for name, value in damaged.items() if value is not MISSING}
    file.write_text(json.dumps(content))
    for read in READERS:
        with pytest.raises(DatasetError, match=r"instances_train\.json cannot be used: \w+: "):
            read(root, "train")


@pytest.mark.parametrize("outline", [None, [], {}, [[1, 2]]])
def test_boxes_alone_are_nothing_to_learn_from_or_to_measure_on(
    tmp_path: Path, outline: object
) -> None:
    root = write_streets(tmp_path, 2)
    file = root / "annotations" / "instances_train.json"
    content = json.loads(file.read_text())
    for annotation in content["annotations"]:
        annotation["segmentation"] = outline
    file.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match=r"has no outlines of the classes: person, bicycle"):
        read_instances(root, "train")
    with pytest.raises(DatasetError, match=r"has no outline of any of COCO's classes"):
        Truth.read(root, "train")


def test_ids_that_are_not_cocos_are_refused(tmp_path: Path) -> None:
    root = write_streets(tmp_path, 1)
    path = root / "annotations" / "instances_train.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "categories": [{"id": 26, "name": "car"}]}))
    for read in READERS:
        with pytest.raises(DatasetError, match="has car as category 26: ids are to be COCO's, 3"):
            read(root, "train")
    for annotation in content["annotations"]:
        annotation["category_id"] = 26
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="none of the classes: person, bicycle"):
        read_instances(root, "train")


@pytest.mark.parametrize("mode", ["RGB", "I;16", "1"])
def test_a_mask_of_colours_is_refused(tmp_path: Path, mode: str) -> None:
    mask = tmp_path / "mask.png"
    Image.new(mode, (4, 4)).save(mask)
    with pytest.raises(UnusableFile, match=r"mask\.png has no ids"):
        Sample(mask, mask).load_mask()


@pytest.mark.parametrize("k", [21, 90, 254])
def test_a_mask_of_other_ids_is_refused(tmp_path: Path, k: int) -> None:
    mask = Image.new("L", (4, 4), 20)
    mask.putpixel((0, 0), 255)
    mask.save(tmp_path / "mask.png")
    sample = Sample(tmp_path / "photo.jpg", tmp_path / "mask.png")
    assert sample.load_mask().getextrema() == (20, 255)
    mask.putpixel((1, 0), k)
    mask.save(sample.mask)
    says = rf"mask\.png has the id {k}: ids are to be VOC's, 0 to 20, or 255$"
    with pytest.raises(UnusableFile, match=says):
        class_shares([sample])


def test_a_photo_that_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    truth = Truth.read(write_streets(tmp_path, 2), "train")
    (tmp_path / "train" / "train_1.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"train_1\.png cannot be used"):
        list(truth.images())
    with pytest.raises(DatasetError, match=r"none\.png cannot be used: FileNotFoundError"):
        load_photo(tmp_path / "none.png", (8, 8))
    with pytest.raises(DatasetError, match=r"none\.png"):
        Sample(tmp_path / "train" / "train_0.png", tmp_path / "none.png").load()


def test_a_photo_is_upright_and_then_of_the_size_that_is_annotated(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # turn it to the right
    photo = Image.new("RGB", (8, 16))
    photo.paste((255, 255, 255), (0, 0, 8, 8))
    photo.save(tmp_path / "a.png", exif=exif)
    upright = np.asarray(load_photo(tmp_path / "a.png", (16, 8)))
    assert (upright[:, 8:] == 255).all()
    assert (upright[:, :8] == 0).all()
    with pytest.raises(UnusableFile, match=r"a\.png has 16×8 pixels, and 8×16 are annotated$"):
        load_photo(tmp_path / "a.png", photo.size)


def test_a_photo_of_another_size_than_its_annotation_is_named(tmp_path: Path) -> None:
    (sample,) = read_coco(write_streets(tmp_path, 1), "train", tmp_path / "masks")
    (scene,) = read_instances(tmp_path, "train")
    truth = Truth.read(tmp_path, "train")
    segmenter = Segmenter(manifest_of("fcn_lite"), lambda images: images)
    Image.new("RGB", (64, 128)).save(scene.image)
    for load in (
        sample.load,
        scene.load,
        lambda: list(truth.images()),
        lambda: list(figures(segmenter, {"coco": [sample]})),
    ):
        with pytest.raises(UnusableFile, match=r"train_0\.png has 64×128 pixels"):
            load()


def test_an_empty_list_of_photos_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.txt").touch()
    with pytest.raises(DatasetError, match=r"there are no photos in .*train\.txt"):
        read_voc(tmp_path, "train")


def test_instances_of_other_photos_are_left_aside(tmp_path: Path) -> None:
    root = write_streets(tmp_path, 2)
    file = root / "annotations" / "instances_train.json"
    content: dict[str, Any] = json.loads(file.read_text())
    content["images"] = content["images"][1:]
    file.write_text(json.dumps(content))
    assert len(read_instances(root, "train")) == 1
