"""What was counted in a video, as a table."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table


def counts_table(summary: Mapping[str, Any]) -> Table:
    """What was counted in a video, by class, from its summary."""
    columns: list[tuple[str, Mapping[str, int]]] = [("counted", summary["counts"])]
    for line, ways in summary["crossings"].items():
        columns += [(f"{line} {way}", counts) for way, counts in ways.items()] or [(line, {})]
    for zone, counts in summary["zones"].items():
        columns += [(f"{zone} {way}", counts[way]) for way in ("entered", "left")]
    table = Table("class", *(heading for heading, _ in columns))
    for label in sorted(set().union(*(counts for _, counts in columns))):
        table.add_row(label, *(str(counts.get(label, 0)) for _, counts in columns))
    return table
