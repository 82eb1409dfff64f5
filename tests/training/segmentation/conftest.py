from dataclasses import replace

import pytest

from bentoml_img import zoo
from bentoml_img.models.segmenters import HEADS

SIDE = 48


@pytest.fixture
def side(monkeypatch: pytest.MonkeyPatch) -> int:
    """What the networks see of photos: so few pixels that a run takes a second or two."""
    for name in HEADS:
        entry = zoo.find(name)
        transform = replace(entry.transform, input_size=(SIDE,))
        monkeypatch.setitem(zoo.ZOO, name, replace(entry, transform=transform))
    return SIDE
