"""Checkpoint files: where they are, how they are written and read, and when they are refused."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bentoml_img.published.weights import NOT_LOADABLE
from bentoml_img.system.atomic import replacing
from bentoml_img.training.errors import CheckpointError

FORMAT = 2  # to be raised when a run's state gets other entries


def locate(folder: Path, resume: bool) -> Path:
    """The path of a folder's checkpoint.

    CheckpointError if there is none to resume, or if there is one that a new run would overwrite.
    """
    path = folder / "checkpoint.pt"
    if path.is_file() == resume:
        return path
    raise CheckpointError(
        f"there is no checkpoint in {folder} to resume"
        if resume
        else f"{path} exists: add --resume to go on from it, or give another output folder"
    )


def save(state: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint; one that is there is replaced once the new one is complete."""
    with replacing(path) as part:
        torch.save({**state, "format": FORMAT}, part)


def load(path: Path) -> dict[str, Any]:
    """The state that was saved, on the CPU.

    CheckpointError if it is damaged, or was written by another version of this program.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except NOT_LOADABLE as error:
        raise CheckpointError(f"cannot read the checkpoint {path}: {error}") from error
    if not isinstance(state, dict) or not isinstance(state.get("recipe"), dict):
        raise CheckpointError(f"cannot read the checkpoint {path}: it has no recipe")
    if state.pop("format", None) != FORMAT:
        raise CheckpointError(
            f"cannot read the checkpoint {path}: it was written by another version of this program"
        )
    return state


def check_recipe(path: Path, was: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """CheckpointError if a checkpoint was made with another recipe than the run has now."""
    if changed := [name for name in now if was.get(name) != now[name]]:
        values = ", ".join(f"{name}={was.get(name)}" for name in changed)
        raise CheckpointError(f"the checkpoint {path} was made with {values}: resume it so")
