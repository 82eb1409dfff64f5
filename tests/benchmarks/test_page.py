import sys
from pathlib import Path
from unittest import mock

import pytest

from benchmarks.bars import (
    BARS,
    LOAD_OF_PHOTOS,
    Bar,
    figure,
    over_rival,
    quotient,
    tail_over_rival,
)
from benchmarks.memory import LOADS
from benchmarks.page import BENCHMARKS, bars, keep, machines, page, read, table

MACHINE = {"processor": "Abacus", "cores": 2, "python": "3.11.7", "versions": {"beads": "10"}}


def test_a_table_has_a_column_for_each_figure_and_none_of_the_machine() -> None:
    lines = [
        {"way": "ours", "rate": 2107.31, "rates": [1.0], "ratios": {"theirs": 2.0}, **MACHINE},
        {"way": "theirs", "rate": 0.999987, "ratios": {}, **MACHINE},
    ]
    assert table(lines).splitlines() == [
        "| way | rate | ÷ theirs |",
        "| --- | --- | --- |",
        "| ours | 2107 | 2 |",
        "| theirs | 0.999987 |  |",
    ]


def test_bars_say_what_was_reached_and_what_was_not_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results = {"video": [{"way": "ours", "rate": 3.0}, {"way": "theirs", "rate": 2.0}]}
    ours, theirs = (figure("video", "rate", way=way) for way in ("ours", "theirs"))
    wanted = [
        Bar("rate", 3.0, ours),
        Bar("gain", 2.0, quotient(ours, theirs)),
        Bar("cost", 0.7, quotient(theirs, ours), at_most=True),
        Bar("other", 1.0, figure("audio", "rate")),
    ]
    monkeypatch.setattr("benchmarks.page.BARS", wanted)
    assert bars(results).splitlines()[2:] == [
        "| rate | ≥ 3 | 3 | yes |",
        "| gain | ≥ 2 | 1.5 | no |",
        "| cost | ≤ 0.7 | 0.6667 | yes |",
        "| other | ≥ 1 | – | – |",
    ]


def test_a_rival_counts_by_the_setting_in_which_it_is_best() -> None:
    ratios = {"LitServe, 1×2": 3.0, "LitServe, 2×1": 2.5, "FastAPI, 1×2": 2.0}
    results = {"segmenting": [{"server": "ours", "form": "raw", "ratios": ratios}]}
    assert over_rival("segmenting", "LitServe", form="raw")(results) == 2.5
    assert over_rival("segmenting", "BentoML", form="raw")(results) is None


def test_the_p99_of_a_rival_is_that_of_its_best_setting() -> None:
    where = {"network": "tiny", "photos": "32x32", "form": "multipart"}
    figures = {"ours": (9, 6), "LitServe, 1×1": (5, 2), "LitServe, 2×1": (7, 4), "FastAPI": (8, 1)}
    lines = [
        {**where, "server": server, "rate": rate, "p99": p99}
        for server, (rate, p99) in figures.items()
    ]
    assert tail_over_rival("serving", "LitServe", **where)({"serving": lines}) == 1.5


@pytest.mark.parametrize(("found", "share"), [(0, 0), (9, 0.9)])
def test_what_is_not_found_is_not_passed_over(found: int, share: float) -> None:
    line = {
        "model": "maskrcnn_lite",
        "precision": "fp32",
        "instances": 10,
        "found": found,
        "ratio": 2.5,
    }
    values = [bar.value({"detectors": [line]}) for bar in BARS]
    assert [value for value in values if value is not None] == [2.5, share]
    assert bars({"detectors": [line]}).count("| no |") == 1


@pytest.mark.parametrize(("found", "values"), [(0, [1.5]), (8, [1.5, 1.0, 0.001, 1e-5, 0.999])])
def test_where_nothing_is_found_there_is_no_difference(found: int, values: list[float]) -> None:
    line = {
        "model": "maskrcnn_resnet50_fpn",
        "precision": "fp32",
        "instances": found,
        "found": found,
        "ratio": 1.5,
        "box_px": 0.001,
        "score": 1e-5,
        "mask_iou": 0.999,
    }
    known = [bar.value({"detectors": [line]}) for bar in BARS]
    assert [value for value in known if value is not None] == values


def test_a_reduced_precision_counts_by_the_faster_one() -> None:
    lines = [
        {"model": "maskrcnn_lite", "precision": precision, "instances": 1, "found": 1, "ratio": r}
        for precision, r in (("fp32", 4.5), ("int8", 3.0), ("bf16", 3.75))
    ]
    assert "over eager PyTorch | ≥ 3.5 | 3.75 | yes |" in bars({"detectors": lines})
    assert "over eager PyTorch | ≥ 3.5 | – | – |" in bars({"detectors": lines[:1]})


def test_what_was_measured_elsewhere_is_told_apart() -> None:
    other = {**MACHINE, "cores": 4}
    assert (
        machines({"a": [MACHINE], "b": [MACHINE]}) == "On Abacus, 2 cores, Python 3.11.7, beads 10."
    )
    assert machines({"a": [MACHINE], "b": [other, other]}).splitlines() == [
        "- a: Abacus, 2 cores, Python 3.11.7, beads 10",
        "- b: Abacus, 4 cores, Python 3.11.7, beads 10",
    ]


@pytest.mark.parametrize("status", [0, 1])
def test_only_the_lines_of_a_benchmark_that_ended_well_are_kept(
    status: int, tmp_path: Path
) -> None:
    program = f"print('{{\"rate\": 1}}'); raise SystemExit({status})"
    path = tmp_path / "bench" / "one.jsonl"
    assert keep([sys.executable, "-c", program], path) == (status == 0)
    assert path.exists() == (status == 0)
    if path.exists():
        assert read(path) == [{"rate": 1}]


def test_the_page_tells_how_each_table_was_made() -> None:
    lines = [{"way": "loop", "over_loop": 1.0, **MACHINE}]
    text = page({"video": lines}, {"video": "2026-11-25"})
    assert "`python -m benchmarks.video`, 2026-11-25\n\nFrames a second of whole pipelines" in text
    assert "| loop | 1 |" in text
    assert "## serving" not in text


def test_bars_look_at_benchmarks_that_are_run() -> None:
    results = mock.Mock()
    results.get.return_value = []
    assert [bar.value(results) for bar in BARS] == [None] * len(BARS)
    asked = {call.args[0] for call in results.get.call_args_list}
    assert asked <= {benchmark.name for benchmark in BENCHMARKS}
    assert LOAD_OF_PHOTOS in LOADS
