import json
from pathlib import Path

from bentoml_img.training.log import LOG_STEPS, Log


def test_figures_are_means_since_the_last_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = Log(path)
    for step in range(1, LOG_STEPS + 3):
        log.add_figures({"a": float(step), "b": 1.0}, step, LOG_STEPS + 2, 0.26 * step)
    log.add({"step": LOG_STEPS + 2, "miou": 0.5})
    first, second, evaluation = (json.loads(line) for line in path.read_text().splitlines())
    assert first == {
        "step": 20,
        "steps": 22,
        "seconds": 5.2,
        "figures": {"a": 10.5, "b": 1.0},
    }
    assert (second["step"], second["figures"]) == (22, {"a": 21.5, "b": 1.0})
    assert evaluation == {"step": 22, "miou": 0.5}


def test_of_a_step_that_was_repeated_the_last_line_is_read(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl")
    for loss, step in ((3.0, 20), (2.0, 40), (4.0, 60), (1.0, 40)):
        log.add({"step": step, "figures": {"a": loss}})
    log.add({"step": 40, "miou": 0.5})
    read = [(entry["step"], entry["figures"]["a"]) for entry in log.read_figures()]
    assert read == [(20, 3.0), (40, 1.0), (60, 4.0)]


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl")
    log.add({"step": 20, "figures": {"a": 1.0}})
    with log.path.open("a") as file:
        file.write('{"step": 40, "fig')
    log.add({"step": 60, "figures": {"a": 2.0}})
    assert [entry["step"] for entry in log.read_figures()] == [20, 60]
