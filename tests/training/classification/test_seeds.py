import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bentoml_img.training.classification import cifar10, seeds
from bentoml_img.training.classification.cifar10 import Split
from tests.training.tiny import tiny_recipe


@pytest.fixture
def arguments(
    tmp_path: Path, train: Split, held_out: Split, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    monkeypatch.setattr(cifar10, "load", lambda root: (train, held_out))
    monkeypatch.setattr(seeds, "Recipe", tiny_recipe)
    return ["--data-dir", str(tmp_path), "--epochs", "1", "--output-dir", str(tmp_path / "out")]


def invoke(*arguments: str) -> Result:
    result = CliRunner().invoke(seeds.main, arguments)
    assert result.exit_code == 0, result.output
    return result


def test_runs_are_kept_and_summed_up(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first = invoke(*arguments, "--seeds", "2").stdout
    *runs, summary = [json.loads(line) for line in first.splitlines()]
    assert [run["seed"] for run in runs] == [0, 1]
    a, b = (run["accuracy"] for run in runs)
    assert summary["runs"] == 2
    assert summary["mean"] == pytest.approx((a + b) / 2)
    assert summary["std"] == pytest.approx(abs(a - b) / 2**0.5)
    assert (summary["min"], summary["max"]) == (min(a, b), max(a, b))

    def no_training(*args: object) -> None:
        raise AssertionError("a run that is kept was repeated")

    monkeypatch.setattr(seeds, "fit", no_training)
    assert invoke(*arguments, "--seeds", "2").stdout == first


def test_another_schedule_is_trained_anew(arguments: list[str]) -> None:
    invoke(*arguments, "--seeds", "1")
    result = invoke(*arguments, "--seeds", "1", "--epochs", "2")
    assert json.loads(result.stdout.splitlines()[0])["recipe"]["epochs"] == 2


def test_one_run_has_no_spread() -> None:
    summary = seeds.summary([{"accuracy": 0.5, "recipe": {"epochs": 3}}])
    assert summary == {"runs": 1, "epochs": 3, "mean": 0.5, "std": 0.0, "min": 0.5, "max": 0.5}


def test_no_data_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = CliRunner().invoke(
        seeds.main, ["--data-dir", str(tmp_path / "empty"), "--output-dir", str(tmp_path / "out")]
    )
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: no CIFAR-10 in ")
    assert result.stderr.count("\n") == 1


def test_a_folder_that_cannot_be_is_told_in_one_line(arguments: list[str]) -> None:
    result = CliRunner().invoke(seeds.main, [*arguments, "--output-dir", "/dev/null/out"])
    assert result.exit_code == 1
    assert "/dev/null" in result.stderr
    assert len(result.stderr.splitlines()) == 1
