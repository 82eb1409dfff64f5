from typing import Any

import pytest

from bentoml_img.bundle import Bundle, BundleError
from bentoml_img.classify import Classifier
from bentoml_img.detect import Detector
from bentoml_img.paths import SHIPPED
from bentoml_img.predictor import Predictor
from bentoml_img.segment import Segmenter


@pytest.mark.parametrize("engine", ["openvino", "torch"])
@pytest.mark.parametrize(
    ("predictor", "model", "task"),
    [
        (Classifier, "maskrcnn_lite", "detection"),
        (Segmenter, "cifar_lite", "classification"),
        (Detector, "deeplabv3_lite", "segmentation"),
    ],
)
def test_a_bundle_for_another_task_is_refused(
    predictor: type[Predictor[Any, Any]], model: str, task: str, engine: str
) -> None:
    with pytest.raises(BundleError, match=f"the model {model} is for {task}"):
        predictor.from_bundle(SHIPPED / model, engine)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_an_identity_tells_model_and_precision(precision: str) -> None:
    segmenter = Segmenter.from_bundle(SHIPPED / "deeplabv3_lite", "openvino", precision=precision)
    version = Bundle.open(SHIPPED / "deeplabv3_lite").manifest.digest[:12]
    assert segmenter.identity == f"deeplabv3_lite:{version} in {precision}"
