"""What a Bento was built with is what its service computes with."""

from pathlib import Path
from typing import Any

import pytest

from bentoml_img.predictor import Predictor
from services import classifier, detector, segmenter
from tests.services.live import CLASSIFIER, DETECTOR, SEGMENTER, Service


class Loaded(Exception):
    """In place of a predictor: loading one takes its time."""


@pytest.mark.parametrize(
    ("service", "module"),
    [(CLASSIFIER, classifier), (SEGMENTER, segmenter), (DETECTOR, detector)],
    indirect=["service"],
)
@pytest.mark.parametrize(("engine", "precision"), [("torch", "fp32"), ("openvino", "int8")])
def test_engine_and_precision_are_those_of_the_bento(
    bento: Service, module: Any, engine: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(folder: Path, engine: str, precision: str, threads: int) -> Predictor[Any, Any]:
        raise Loaded(engine, precision)

    chosen = module.arguments.model_copy(update={"engine": engine, "precision": precision})
    monkeypatch.setattr(module, "arguments", chosen)
    monkeypatch.setattr(Predictor, "from_bundle", load)
    with pytest.raises(Loaded) as loaded:
        getattr(module, bento.name).inner()
    assert loaded.value.args == (engine, precision)
