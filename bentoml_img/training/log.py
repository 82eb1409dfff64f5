"""The log of a training run: JSON lines, of batches every few steps and of each evaluation."""

import json
import os
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

LOG_STEPS = 20


class Log:
    """Appends to a file; figures are means since the last line that has some."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._recent: defaultdict[str, list[float]] = defaultdict(list)

    def begin(self) -> None:
        """Leave out what an earlier run wrote."""
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
        """Write a line, of its own also where the last one was cut off."""
        with self.path.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(json.dumps(entry, allow_nan=False).encode() + b"\n")

    def read_figures(self) -> list[dict[str, Any]]:
        """The lines of batches, the last where a step was repeated after an interruption.

        What was cut off, with the power or by a full disk, is left out.
        """
        last = {}
        for line in self.path.read_text().splitlines():
            with suppress(json.JSONDecodeError):
                entry = json.loads(line)
                if "figures" in entry:
                    last[entry["step"]] = entry
        return [last[step] for step in sorted(last)]
