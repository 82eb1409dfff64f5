from benchmarks.load import Figure
from benchmarks.servers import OTHERS
from benchmarks.serving import Case, median, ratio


def figures(*rates: float) -> list[Figure]:
    return [Figure(rate, p50=1, p99=rate, answered=10, errors=1, cpu=2) for rate in rates]


def test_a_median_takes_each_quantity_by_itself_and_adds_up_errors() -> None:
    assert median(figures(300, 100, 200)) == Figure(200, 1, 200, answered=30, errors=3, cpu=2)


def test_a_ratio_is_taken_round_by_round_against_the_rivals_best_form() -> None:
    ours = Case("tiny", "32x32", "ours", "raw")
    measured = {
        ours: figures(200, 100, 300),
        Case("tiny", "32x32", "LitServe", "multipart"): figures(100, 100, 100),
        Case("tiny", "32x32", "LitServe", "base64"): figures(50, 50, 50),
        Case("tiny", "640x480", "LitServe", "base64"): figures(900, 900, 900),
    }
    assert ratio(measured, ours, "LitServe") == 2
    assert ratio(measured, ours, "FastAPI") is None


def test_rivals_have_a_worker_and_a_worker_for_each_core() -> None:
    commands = {server.name: " ".join(server.command) for server in OTHERS}
    for name, options in (
        ("LitServe, 1×1", "--workers 1 --batch 16"),
        ("LitServe, 2×1", "--workers 2 --batch 16"),
        ("FastAPI, 1×2", "--workers 1 --threads 2"),
        ("FastAPI, 2×1", "--workers 2 --threads 1"),
    ):
        assert options in commands[name]
