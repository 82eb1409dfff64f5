import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from bentoml_img.labels import VOC
from bentoml_img.training.annotations import complete
from bentoml_img.training.errors import DatasetError
from bentoml_img.training.layouts import Sample, read_voc
from bentoml_img.training.segmentation.data import class_shares, paint, read_coco

PERSON, CAR, TRUCK = 1, 3, 8


def box(category: int, left: int, top: int, width: int, height: int, **more: Any) -> dict[str, Any]:
    right, bottom = left + width, top + height
    outline = [left, top, right, top, right, bottom, left, bottom]
    return {
        "image_id": 1,
        "category_id": category,
        "area": width * height,
        "bbox": [left, top, width, height],
        "segmentation": [outline],
        "iscrowd": 0,
        **more,
    }


def test_small_instances_are_painted_over_large_ones_whatever_their_order() -> None:
    car, person = box(CAR, 0, 0, 8, 8), box(PERSON, 2, 2, 3, 3)
    for instances in ([car, person], [person, car]):
        mask = paint(instances, 10, 12)
        assert mask.shape == (10, 12)
        assert mask[3, 3] == VOC.index("person")
        assert mask[0, 0] == mask[7, 7] == VOC.index("car")
        assert mask[9, 11] == 0


def test_crowds_are_ignored_and_other_categories_are_background() -> None:
    crowd = np.zeros((10, 12), np.uint8, order="F")
    crowd[:4, :4] = 1
    run_lengths = coco_mask.encode(crowd)
    mask = paint(
        [
            box(PERSON, 0, 0, 4, 4, iscrowd=1, segmentation=run_lengths),
            box(TRUCK, 6, 6, 3, 3),
        ],
        10,
        12,
    )
    assert (mask[:4, :4] == 255).all()
    assert mask[7, 7] == 0


def test_an_instance_without_an_outline_is_ignored_in_its_box(tmp_path: Path) -> None:
    lost = box(PERSON, 2, 2, 3, 3, segmentation=[])
    complete(lost, 12, 10)
    mask = paint([lost], 10, 12)
    assert (mask[2:5, 2:5] == 255).all()
    assert mask.sum() == 9 * 255


def test_uncompressed_run_lengths_run_down_the_columns() -> None:
    person = box(PERSON, 0, 0, 1, 1, segmentation={"size": [2, 3], "counts": [1, 2, 3]})
    complete(person, 3, 2)
    mask = paint([person], 2, 3)
    assert (mask == [[0, 15, 0], [15, 0, 0]]).all()


@pytest.mark.parametrize("name", ["train2017", "train"])
def test_reads_coco_and_paints_once(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / "annotations").mkdir()
    Image.new("RGB", (12, 10)).save(tmp_path / name / "a.jpg")
    annotations = tmp_path / "annotations" / f"instances_{name}.json"
    image = {"id": 1, "file_name": "a.jpg", "width": 12, "height": 10}
    annotations.write_text(json.dumps({"images": [image], "annotations": [box(CAR, 0, 0, 6, 10)]}))
    painted = []
    (sample,) = read_coco(tmp_path, "train", tmp_path / "masks", lambda *at: painted.append(at))
    photo, mask = sample.load()
    assert photo.size == mask.size == (12, 10)
    assert painted == [(1, 1)]
    np.testing.assert_allclose(class_shares([sample])[0, [0, 7]], 0.5)

    before = sample.mask.stat().st_mtime_ns
    assert read_coco(tmp_path, "train", tmp_path / "masks") == [sample]
    assert sample.mask.stat().st_mtime_ns == before

    annotations.write_text(json.dumps({"images": [image], "annotations": [box(CAR, 0, 0, 9, 10)]}))
    (anew,) = read_coco(tmp_path, "train", tmp_path / "masks")
    np.testing.assert_allclose(class_shares([anew])[0, [0, 7]], [0.25, 0.75])


@pytest.mark.parametrize("below", ["", "VOC2012", "VOCdevkit/VOC2012"])
def test_reads_voc(tmp_path: Path, below: str) -> None:
    folder = tmp_path / below
    (folder / "ImageSets" / "Segmentation").mkdir(parents=True)
    (folder / "ImageSets" / "Segmentation" / "train.txt").write_text("a\nb\n")
    samples = read_voc(tmp_path, "train")
    assert samples[1] == Sample(folder / "JPEGImages/b.jpg", folder / "SegmentationClass/b.png")


def test_reads_a_plain_folder(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a\n")
    assert [sample.image.name for sample in read_voc(tmp_path, "train")] == ["a.jpg"]


def test_says_what_it_expected(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected VOCdevkit"):
        read_voc(tmp_path, "train")
    with pytest.raises(DatasetError, match="expected train2017"):
        read_coco(tmp_path, "train", tmp_path)
