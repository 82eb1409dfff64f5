from torchvision.models.detection import MaskRCNN_ResNet50_FPN_Weights

from bentoml_img.labels import (
    COCO,
    COCO_CATEGORIES,
    COCO_IDS,
    COCO_TO_TRAFFIC,
    COCO_TO_VOC,
    TRAFFIC,
    VOC,
    real_classes,
)


def test_each_class_of_voc_but_background_is_one_of_coco() -> None:
    assert sorted(COCO_TO_VOC.values()) == list(range(1, len(VOC)))
    assert set(COCO_TO_VOC) <= set(COCO_CATEGORIES)


def test_coco_is_counted_as_torchvision_does() -> None:
    theirs = MaskRCNN_ResNet50_FPN_Weights.DEFAULT.meta["categories"]
    assert COCO[1:] == tuple(theirs[1:])


def test_each_class_of_traffic_but_background_is_one_of_coco() -> None:
    assert sorted(COCO_TO_TRAFFIC.values()) == list(range(1, len(TRAFFIC)))
    assert {TRAFFIC[k] for k in COCO_TO_TRAFFIC.values()} <= set(COCO_CATEGORIES.values())


def test_background_and_gaps_are_no_classes() -> None:
    assert real_classes(COCO) == COCO_IDS
    assert real_classes(TRAFFIC)["person"] == 1
