"""The sample clip: what is stored is what the script makes, and its truth is true."""

import json

import numpy as np
import pytest
from PIL import Image

from scripts.clip import ACTORS, RATE, SECONDS, SIZE, VIDEOS, Actor, truth


def test_the_stored_clip_has_the_scripts_frames() -> None:
    with Image.open(VIDEOS / "3.gif") as clip:
        assert clip.size == SIZE
        assert getattr(clip, "n_frames", 1) == SECONDS * RATE
        assert clip.info["duration"] == 1000 / RATE


def test_the_stored_truth_is_the_scripts() -> None:
    assert json.loads((VIDEOS / "3.truth.json").read_text()) == truth()


@pytest.mark.parametrize("actor", ACTORS, ids=lambda actor: f"{actor.label}{actor.start}")
def test_an_actor_is_in_the_middle_when_it_crosses(actor: Actor) -> None:
    assert actor.left(actor.crosses()) + actor.length / 2 == pytest.approx(SIZE[0] / 2)


def test_what_is_drawn_is_where_its_actor_is() -> None:
    """After 5.5 seconds nothing but the bus reaches from its lane to below the feet behind it."""
    bus = next(actor for actor in ACTORS if actor.label == "bus")
    left = bus.left(5.5)
    with Image.open(VIDEOS / "3.gif") as clip:
        clip.seek(0)
        empty = np.asarray(clip.convert("RGB"), np.int16)
        clip.seek(55)
        frame = np.asarray(clip.convert("RGB"), np.int16)
    rows = slice(bus.ground - 38, bus.ground - 14)  # on average, without the dither of a GIF
    changed = np.flatnonzero(np.abs((frame - empty)[rows].mean(axis=0)).max(axis=1) > 15)
    assert changed.min() == pytest.approx(left, abs=6)
    assert changed.max() == pytest.approx(left + bus.length, abs=6)
