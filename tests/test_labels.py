from torchvision.models.detection import MaskRCNN_ResNet50_FPN_Weights

from bentoml_img.labels import (
    COCO,
    COCO_CATEGORIES,
    COCO_TO_TRAFFIC,
    COCO_TO_VOC,
    PALETTES,
    TRAFFIC,
    VOC,
    hub_colour,
    voc_colour,
)


def test_the_colours_of_voc() -> None:
    named = {name: voc_colour(k) for k, name in enumerate(VOC)}
    assert named["background"] == (0, 0, 0)
    assert named["aeroplane"] == (128, 0, 0)
    assert named["person"] == (192, 128, 128)
    assert named["tvmonitor"] == (0, 64, 128)
    assert voc_colour(255) == (224, 224, 192)


def test_the_colours_of_the_hub_demo() -> None:
    assert hub_colour(VOC.index("car")) == (7, 124, 217)
    assert hub_colour(VOC.index("person")) == (15, 120, 210)
    assert hub_colour(0) == (0, 0, 0)


def test_no_two_classes_share_a_colour() -> None:
    for palette in PALETTES.values():
        assert len({palette(k) for k in range(len(VOC))}) == len(VOC)


def test_each_class_of_voc_but_background_is_one_of_coco() -> None:
    assert sorted(COCO_TO_VOC.values()) == list(range(1, len(VOC)))
    assert set(COCO_TO_VOC) <= set(COCO_CATEGORIES)


def test_coco_is_counted_as_torchvision_does() -> None:
    theirs = MaskRCNN_ResNet50_FPN_Weights.DEFAULT.meta["categories"]
    assert COCO[1:] == tuple(theirs[1:])


def test_each_class_of_traffic_but_background_is_one_of_coco() -> None:
    assert sorted(COCO_TO_TRAFFIC.values()) == list(range(1, len(TRAFFIC)))
    assert {TRAFFIC[k] for k in COCO_TO_TRAFFIC.values()} <= set(COCO_CATEGORIES.values())
