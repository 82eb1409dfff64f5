import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from bentoml_img.labels import TRAFFIC, VOC
from bentoml_img.training.detection.augment import Window
from bentoml_img.training.detection.data import Scene, from_mask, read_animals, read_instances
from bentoml_img.training.errors import DatasetError
from tests.training.streets import SIZE, write_streets

PERSON, CAR, BUS, DOG = (TRAFFIC.index(name) for name in ("person", "car", "bus", "dog"))


def test_reads_instances_and_crowds(tmp_path: Path) -> None:
    scenes = read_instances(write_streets(tmp_path, 4), "train")
    assert [scene.size for scene in scenes] == [SIZE] * 4
    first = scenes[0]
    assert first.load().size == SIZE
    assert [(i.label, i.crowd) for i in first.instances] == [
        (CAR, False),
        (PERSON, False),
        (BUS, False),
        (PERSON, True),
    ]
    assert first.instances[2].box == (94, 4, 124, 34)
    assert first.instances[2].area == 900
    assert [len(scene.instances) for scene in scenes] == [4, 2, 2, 3]


def test_what_is_no_polygon_is_left_out_and_where_none_is_left_is_a_crowd(tmp_path: Path) -> None:
    file = write_streets(tmp_path, 3) / "annotations" / "instances_train.json"
    content = json.loads(file.read_text())
    for annotation in content["annotations"]:
        del annotation["iscrowd"]
    person, car, *others = content["annotations"][:4]
    person["segmentation"] += [[1, 2, 3, 4], [], [1, 2, 3, 4, 5, 6, 7]]
    car["segmentation"] = []
    others[0]["segmentation"] = [[5, 5, 9, 9]]
    del others[1]["segmentation"]
    file.write_text(json.dumps(content))
    scene, *_ = read_instances(tmp_path, "train")
    assert [i.crowd for i in scene.instances] == [False, True, True, True]
    assert len(scene.instances[0].outline) == 1
    crop = Window(SIZE, (0, 0), (1, 1)).crop(scene)
    assert crop.labels.tolist() == [CAR]
    assert crop.crowds.tolist() == [list(instance.box) for instance in scene.instances[1:]]


def test_folders_with_nothing_to_learn_from_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there are no photos in"):
        read_instances(write_streets(tmp_path, 0), "train")
    with pytest.raises(DatasetError, match="shows a single animal"):
        animals(tmp_path, {"none": {"person": np.s_[10:40, 5:30]}})


def test_a_folder_of_another_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no COCO data"):
        read_instances(tmp_path, "train")


def animals(root: Path, masks: dict[str, dict[str, tuple[slice, slice]]]) -> list[Scene]:
    """What is read of a VOC folder whose masks have these regions, by class."""
    for folder in ("JPEGImages", "SegmentationClass"):
        (root / folder).mkdir()
    for name, regions in masks.items():
        mask = np.zeros((60, 80), np.uint8)
        for voc_name, where in regions.items():
            mask[where] = VOC.index(voc_name.split()[0])
        Image.fromarray(mask).save(root / "SegmentationClass" / f"{name}.png")
        Image.new("RGB", (80, 60)).save(root / "JPEGImages" / f"{name}.jpg")
    (root / "train.txt").write_text("".join(f"{name}\n" for name in masks))
    return read_animals(root, "train")


def test_only_photos_of_a_single_animal_are_read(tmp_path: Path) -> None:
    left, right = np.s_[10:40, 5:30], np.s_[10:40, 40:70]
    speck = np.s_[50:52, 70:72]
    scenes = animals(
        tmp_path,
        {
            "one": {"dog": left, "person": right, "chair": np.s_[0:5, 0:5]},
            "two": {"dog": left, "dog again": right},
            "two_kinds": {"dog": left, "cat": right},
            "small": {"dog": speck},
            "splinter": {"dog": left, "dog again": speck},
            "none": {"person": left},
        },
    )
    assert [scene.image.stem for scene in scenes] == ["one", "splinter"]
    instances = {i.label: i for i in scenes[0].instances}
    assert set(instances) == {DOG, PERSON}
    assert not instances[DOG].crowd
    assert instances[PERSON].crowd, "nobody says how many they are"
    assert instances[DOG].box == (5, 10, 30, 40)


def test_an_instance_of_a_mask() -> None:
    pixels = np.zeros((20, 30), np.bool_)
    pixels[3:7, 10:12] = True
    instance = from_mask(DOG, pixels)
    assert instance.box == (10, 3, 12, 7)
    assert instance.area == 8
    np.testing.assert_array_equal(coco_mask.decode(instance.outline), pixels)
