"""The log of a training run: JSON lines, of losses every few steps and of each evaluation."""

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LOG_STEPS = 20


class Log:
    """Appends to a file; losses are means since the last line that has some."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._recent: defaultdict[str, list[float]] = defaultdict(list)

    def add_losses(
        self, losses: Mapping[str, float], step: int, steps: int, seconds: float
    ) -> None:
        """Note the losses of a step; write a line every `LOG_STEPS` steps and at the last."""
        for name, loss in losses.items():
            self._recent[name].append(loss)
        if step % LOG_STEPS == 0 or step == steps:
            means = {name: round(sum(v) / len(v), 4) for name, v in self._recent.items()}
            self._recent.clear()
            self.add({"step": step, "steps": steps, "seconds": round(seconds, 1), "losses": means})

    def add(self, entry: Mapping[str, Any]) -> None:
        """Write a line."""
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def read_losses(self) -> list[dict[str, Any]]:
        """The lines with losses, the last where a step was repeated after an interruption."""
        entries = (json.loads(line) for line in self.path.read_text().splitlines())
        last = {entry["step"]: entry for entry in entries if "losses" in entry}
        return [last[step] for step in sorted(last)]
