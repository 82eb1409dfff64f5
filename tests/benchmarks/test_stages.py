from benchmarks.stages import STAGES, agreement, common, ours
from bentoml_img.segment import Segmenter
from bentoml_img.shelf import ROOT, SHIPPED


def test_both_ways_give_the_same_mask() -> None:
    segmenter = Segmenter.from_bundle(SHIPPED / "deeplabv3_lite")
    photo = (ROOT / "images" / "street.jpg").read_bytes()
    (one, laps), (other, other_laps) = ours(photo, segmenter), common(photo, segmenter)
    assert agreement(one, other) > 0.995
    assert len(laps) == len(other_laps) == len(STAGES)
