import io
from typing import Any

import pytest
from rich.console import Console

from bentoml_img.cli import console
from bentoml_img.cli.counts_table import counts_table


def told(summary: Any, where: Console, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines of a table of counts, without its frame."""
    monkeypatch.setattr(console, "console", where)
    console.tell_table(counts_table(summary))
    assert isinstance(where.file, io.StringIO)
    return [" ".join(line.strip("│┃ ").split()) for line in where.file.getvalue().splitlines()]


def test_a_place_may_have_the_name_of_a_column(monkeypatch: pytest.MonkeyPatch) -> None:
    summary = {
        "counts": {"car": 3},
        "crossings": {"counted": {}, "a": {"left": {"car": 1}}},
        "zones": {"a": {"entered": {"bus": 2}, "left": {}}},
    }
    rows = told(summary, Console(file=io.StringIO()), monkeypatch)
    assert "class ┃ counted ┃ counted ┃ a left ┃ a entered ┃ a left" in rows
    assert "bus │ 0 │ 0 │ 0 │ 2 │ 0" in rows
    assert "car │ 3 │ 0 │ 1 │ 0 │ 0" in rows


@pytest.mark.parametrize("width", [None, 20, 80])
@pytest.mark.parametrize("lines", [2, 30])
def test_nothing_is_cut_off_however_narrow_a_terminal_is(
    lines: int, width: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Headings are broken there between words, and nowhere else."""
    ways = {"left": {"car": 1234}, "right": {"car": 12}}
    crossings = {f"line {n}": ways for n in range(lines)}
    summary = {"counts": {"traffic light": 12345}, "crossings": crossings, "zones": {}}
    where = Console(
        file=io.StringIO(),
        soft_wrap=True,
        width=width,
        color_system=None,
        force_terminal=bool(width),
    )
    rows = told(summary, where, monkeypatch)
    assert "car │ 0" + " │ 1234 │ 12" * lines in rows
    assert "traffic light │ 12345" + " │ 0" * 2 * lines in rows
    assert "…" not in "".join(rows)
    if lines == 2 and width == 80:
        assert max(map(len, rows)) <= width
    headings = "".join(f" ┃ line {n} left ┃ line {n} right" for n in range(lines))
    assert (f"class ┃ counted{headings}" in rows) == (width is None)
