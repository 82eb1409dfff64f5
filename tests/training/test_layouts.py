import json
from pathlib import Path
from typing import Any

import pytest

from bentoml_img.training.dataset import DatasetError
from bentoml_img.training.detection_data import read_instances
from bentoml_img.training.detection_eval import Truth
from bentoml_img.training.layouts import Sample, load_picture, read_voc
from bentoml_img.training.segmentation_data import read_coco
from tests.training.streets import write_streets

IMAGE = {"id": 1, "file_name": "a.png", "width": 8, "height": 8}


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
    with pytest.raises(DatasetError, match=r"instances_train\.json"):
        read_instances(root, "train")
    with pytest.raises(DatasetError, match=r"instances_train\.json"):
        read_coco(root, "train", tmp_path / "masks")


def test_a_photo_that_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    truth = Truth.read(write_streets(tmp_path, 2), "train")
    (tmp_path / "train" / "train_1.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"train_1\.png cannot be used"):
        list(truth.images())
    with pytest.raises(DatasetError, match=r"none\.png cannot be used: FileNotFoundError"):
        load_picture(tmp_path / "none.png")
    with pytest.raises(DatasetError, match=r"none\.png"):
        Sample(tmp_path / "train" / "train_0.png", tmp_path / "none.png").load()


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
