from bentoml_img.labels import VOC
from bentoml_img.palettes import PALETTES, hub_colour, instance_colour, voc_colour


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


def test_instance_colours_are_bright_and_differ() -> None:
    colours = [instance_colour(k) for k in range(1, 12)]
    assert all(max(colour) == 255 for colour in colours)
    for i, one in enumerate(colours):
        for other in colours[:i]:
            assert max(abs(a - b) for a, b in zip(one, other, strict=True)) > 40
