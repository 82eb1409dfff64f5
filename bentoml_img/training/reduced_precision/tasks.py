"""What differs between tasks: inputs and outputs of their networks, and bounds of the losses."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bentoml_img.arrays import Float32Array
from bentoml_img.classify import Classifier
from bentoml_img.detect import Detector
from bentoml_img.engines.openvino_maskrcnn import NumpyMaskRcnn
from bentoml_img.predictor import Predictor
from bentoml_img.segment import Segmenter
from bentoml_img.training.classification import evaluation as classification
from bentoml_img.training.detection import evaluation as detection
from bentoml_img.training.figures import Figure, OnPhoto
from bentoml_img.training.segmentation import evaluation as segmentation

AnyPredictor = Predictor[Any, Any]


@dataclass(frozen=True)
class Task:
    """How the precision of a task's models is reduced.

    `first_input` is the input of a predictor's first network for a photo: shape (1, 3, H, W).
    `logits` are the outputs of two predictors for the same things in a photo, those that the
    first one finds: shape (N, classes) each. `max_loss` is the largest loss of a figure,
    `least_equal` the smallest share of equal labels, both in 0–1.
    """

    predictor: type[AnyPredictor]
    evaluate: Callable[[Any, Path, OnPhoto], Iterator[Figure]]
    first_input: Callable[[Any, Image.Image], Float32Array]
    logits: Callable[[Any, Any, Image.Image], tuple[Float32Array, Float32Array]]
    max_loss: float
    least_equal: float


def _preprocessed(predictor: Classifier | Segmenter, photo: Image.Image) -> Float32Array:
    return predictor.preprocess(photo)[None]


def _outputs(
    reference: Classifier | Segmenter, reduced: Classifier | Segmenter, photo: Image.Image
) -> tuple[Float32Array, Float32Array]:
    """Logits of the photo, or of each cell of the network's output."""
    one, other = (it.engine(_preprocessed(it, photo)) for it in (reference, reduced))
    return _rows(one), _rows(other)


def _rows(output: Float32Array) -> Float32Array:
    return np.moveaxis(output, 1, -1).reshape(-1, output.shape[1])


def _padded(detector: Detector, photo: Image.Image) -> Float32Array:
    image, _ = detector.preprocess(photo)
    return image


def _of_boxes(
    reference: Detector, reduced: Detector, photo: Image.Image
) -> tuple[Float32Array, Float32Array]:
    """Logits of the boxes in the answer of `reference`, and of the whole photo as one box."""
    image, (height, width) = reference.preprocess(photo)
    (found,) = reference([photo])
    all_of_it = np.array([(0, 0, width, height)], np.float32)
    scale = all_of_it[:, 2:] / photo.size
    boxes = np.concatenate([found.boxes_xyxy * np.tile(scale, 2), all_of_it], dtype=np.float32)
    one, other = (_engine(it).logits(image, boxes).classes for it in (reference, reduced))
    return one, other


def _engine(detector: Detector) -> NumpyMaskRcnn:
    assert isinstance(detector.engine, NumpyMaskRcnn)
    return detector.engine


TASKS = {
    task.predictor.task: task
    for task in (
        Task(
            Classifier,
            classification.evaluate,
            _preprocessed,
            _outputs,
            max_loss=0.001,
            least_equal=0.99,
        ),
        Task(
            Segmenter,
            segmentation.evaluate,
            _preprocessed,
            _outputs,
            max_loss=0.005,
            least_equal=0.99,
        ),
        Task(
            Detector,
            detection.evaluate,
            _padded,
            _of_boxes,
            max_loss=0.003,
            least_equal=0.95,  # only about fifty things in all photos
        ),
    )
}
