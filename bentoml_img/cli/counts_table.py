"""What was counted in a video, as a table."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.cells import cell_len
from rich.table import Column, Table


def counts_table(summary: Mapping[str, Any]) -> Table:
    """What was counted in a video, by class, from its summary."""
    columns: list[tuple[str, Mapping[str, int]]] = [("counted", summary["counts"])]
    for line, ways in summary["crossings"].items():
        columns += [(f"{line} {way}", counts) for way, counts in ways.items()] or [(line, {})]
    for zone, counts in summary["zones"].items():
        columns += [(f"{zone} {way}", counts[way]) for way in ("entered", "left")]
    labels = sorted(set().union(*(counts for _, counts in columns)))
    texts = [("class", labels)]
    texts += [
        (heading, [str(counts.get(label, 0)) for label in labels]) for heading, counts in columns
    ]
    table = Table(*(_column(heading, cells) for heading, cells in texts))
    for row in zip(*(cells for _, cells in texts), strict=True):
        table.add_row(*row)
    return table


def _column(heading: str, cells: Iterable[str]) -> Column:
    """A column that has room for each word of its heading, and for each of its cells."""
    words = heading.split()
    room = max(map(cell_len, [*words, *cells]))
    return Column(heading, min_width=room, no_wrap=len(words) == 1)
