import json
from pathlib import Path

import pytest

from bentoml_img import zoo
from bentoml_img.bundle import RULES, BundleError
from bentoml_img.engines.rules import read_rules, write_rules
from bentoml_img.exporting.export import rules_of
from bentoml_img.models.detectors import ANCHOR_SIDES, ASPECT_RATIOS

DETECTORS = [name for name, entry in zoo.ZOO.items() if entry.task == "detection"]


@pytest.mark.parametrize("name", DETECTORS)
def test_rules_are_read_off_the_network(name: str, tmp_path: Path) -> None:
    rules = rules_of(zoo.build(name))
    write_rules(tmp_path, rules)
    assert read_rules(tmp_path) == rules
    assert len(rules.cell_anchors) == 5
    assert (rules.instances.min_score, rules.instances.post_nms_top_n) == (0.05, 100)
    assert rules.instances.delta_weights == (10, 10, 5, 5)
    lite = name == "maskrcnn_lite"
    assert rules.proposals.post_nms_top_n == (500 if lite else 1000)
    kinds = len(ANCHOR_SIDES[0]) * len(ASPECT_RATIOS) if lite else 3
    assert {len(cell) for cell in rules.cell_anchors} == {kinds}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pre_nms_top_n": "many"}, "pre_nms_top_n: Input should be a valid integer"),
        ({"colour": 1}, "colour: "),
        ({"proposals": {}}, r"proposals\.delta_weights: Field required"),
    ],
)
def test_damaged_rules_are_one_line(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    write_rules(tmp_path, rules_of(zoo.build("maskrcnn_lite")))
    rules = json.loads((tmp_path / RULES).read_text())
    (tmp_path / RULES).write_text(json.dumps({**rules, **change}))
    with pytest.raises(BundleError, match=message) as error:
        read_rules(tmp_path)
    assert "\n" not in str(error.value)


def test_absent_rules_are_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=RULES):
        read_rules(tmp_path)
