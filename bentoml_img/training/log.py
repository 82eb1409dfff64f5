"""The log of a training run as JSON lines: figures every few steps, and each evaluation."""

import json
import os
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

LOG_STEPS = 20


class Log:
    """Appends to a file; the figures of a line are means over the steps since the one before."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._recent: defaultdict[str, list[float]] = defaultdict(list)

    def begin(self) -> None:
        """Delete the log of an earlier run."""
        self.path.unlink(missing_ok=True)

    def add_figures(
        self, figures: Mapping[str, float], step: int, steps: int, seconds: float
    ) -> None:
        """Note the figures of a step; write a line every `LOG_STEPS` steps and at the last."""
        for name, value in figures.items():
            self._recent[name].append(value)
        if step % LOG_STEPS == 0 or step == steps:
            means = {name: round(sum(v) / len(v), 4) for name, v in self._recent.items()}
            self._recent.clear()
            self.add({"step": step, "steps": steps, "seconds": round(seconds, 1), "figures": means})

    def add(self, entry: Mapping[str, Any]) -> None:
        """Append a line; if the last one is incomplete, the new one still has its own."""
        with self.path.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(json.dumps(entry, allow_nan=False).encode() + b"\n")

    def read_figures(self) -> list[dict[str, Any]]:
        """The lines with figures of steps, in the order of steps.

        If a step was repeated after an interruption, its last line. Incomplete lines, which a
        power failure or a full disk leaves, are left out.
        """
        last = {}
        for line in self.path.read_text().splitlines():
            with suppress(json.JSONDecodeError):
                entry = json.loads(line)
                if "figures" in entry:
                    last[entry["step"]] = entry
        return [last[step] for step in sorted(last)]
