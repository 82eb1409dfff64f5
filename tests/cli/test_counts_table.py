from rich.console import Console

from bentoml_img.cli.counts_table import counts_table


def test_a_place_may_have_the_name_of_a_column() -> None:
    summary = {
        "counts": {"car": 3},
        "crossings": {"counted": {}, "a": {"left": {"car": 1}}},
        "zones": {"a": {"entered": {"bus": 2}, "left": {}}},
    }
    console = Console(width=80)
    with console.capture() as capture:
        console.print(counts_table(summary))
    rows = [" ".join(line.strip("│┃ ").split()) for line in capture.get().splitlines()]
    assert "class ┃ counted ┃ counted ┃ a left ┃ a entered ┃ a left" in rows
    assert "bus │ 0 │ 0 │ 0 │ 2 │ 0" in rows
    assert "car │ 3 │ 0 │ 1 │ 0 │ 0" in rows
