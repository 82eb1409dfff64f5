"""What was counted in a video, as a table."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table


def counts_table(summary: Mapping[str, Any]) -> Table:
    """What was counted in a video, by class, from its summary."""
    columns: dict[str, Mapping[str, int]] = {"counted": summary["counts"]}
    for line, ways in summary["crossings"].items():
        columns |= {f"{line} {way}": counts for way, counts in ways.items()} or {line: {}}
    for zone, counts in summary["zones"].items():
        columns |= {f"{zone} {way}": counts[way] for way in ("entered", "left")}
    table = Table("class", *columns)
    for label in sorted(set().union(*columns.values())):
        table.add_row(label, *(str(counts.get(label, 0)) for counts in columns.values()))
    return table
