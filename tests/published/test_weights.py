import contextlib
from pathlib import Path
from typing import Any

import pytest
import torch

from bentoml_img import zoo
from bentoml_img.published.weights import (
    WeightsError,
    cache_folder,
    digest_in_name,
    load_into,
    load_state,
)


@pytest.mark.parametrize("variable", ["TORCH_HOME", "XDG_CACHE_HOME", None])
def test_the_cache_is_where_torch_has_it(
    variable: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, "~/elsewhere")
    assert cache_folder() == Path(torch.hub.get_dir()) / "checkpoints"


def test_the_digits_in_a_name() -> None:
    assert digest_in_name("deeplabv3_resnet50_coco-cd0a2569.pth") == "cd0a2569"
    assert digest_in_name("my-weights.pth") == ""
    assert digest_in_name("net-1.pth") == ""


def saved(value: object, path: Path) -> Path:
    torch.save(value, path)
    return path


def test_a_state_dict_is_loaded(tmp_path: Path) -> None:
    path = saved({"weight": torch.arange(3.0)}, tmp_path / "mine-20240115.pth")
    assert load_state(path)["weight"].tolist() == [0, 1, 2]


class Code:
    def __reduce__(self) -> Any:
        return print, ("executed",)


def test_code_in_a_file_is_not_executed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved({"weight": Code()}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match="load safely"):
        load_state(path)
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("cut", [0, 10, 500, -1])
def test_a_file_cut_short_is_one_line(cut: int, tmp_path: Path) -> None:
    path = saved({"weight": torch.zeros(1000)}, tmp_path / "cut.pth")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(WeightsError) as error:
        load_state(path)
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_damage_anywhere_in_a_file_of_the_old_format_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    state = {"weight": torch.zeros(20)}
    torch.save(state, path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    for place in range(len(whole)):
        for data in (whole[:place], whole[:place] + b"\0" + whole[place + 1 :]):
            path.write_bytes(data)
            with contextlib.suppress(WeightsError):
                load_state(path)


@pytest.mark.parametrize("value", [[1, 2], {"epoch": 3}, torch.zeros(3), {1: torch.zeros(3)}])
def test_what_is_no_state_dict(value: object, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="not a state dict"):
        load_state(saved(value, tmp_path / "other.pth"))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no file"):
        load_state(tmp_path / "absent.pth")


def test_detectors_take_weights_whose_layers_were_called_otherwise(tmp_path: Path) -> None:
    module = zoo.build("maskrcnn_resnet50_fpn")
    renamed = {
        "backbone.fpn.inner_blocks.0.0.": "backbone.fpn.inner_blocks.0.",
        "rpn.head.conv.0.0.": "rpn.head.conv.",
        "roi_heads.mask_head.0.0.": "roi_heads.mask_head.mask_fcn1.",
    }
    state = {}
    for name, value in module.state_dict().items():
        for now, then in renamed.items():
            name = name.replace(now, then)
        state[name] = value
    path = tmp_path / "published.pth"
    torch.save(state, path)
    with torch.device("meta"):
        other = zoo.build("maskrcnn_resnet50_fpn")
    load_into(other.to_empty(device="cpu"), load_state(path), path)
    torch.testing.assert_close(other.state_dict(), module.state_dict())
