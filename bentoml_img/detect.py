"""Photos to instances: each thing's class, box and mask."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from bentoml_img.arrays import Float32Array, Int64Array
from bentoml_img.engines import load_detection_engine
from bentoml_img.engines.interface import DetectionEngine
from bentoml_img.images import rgb_array
from bentoml_img.labels import real_classes
from bentoml_img.postprocessing.duplicates import distinct
from bentoml_img.postprocessing.masks import InstanceMask, RunLengths, paste
from bentoml_img.predictor import Predictor
from bentoml_img.resize import prepare

SCORE_THRESHOLD = 0.5
MAX_INSTANCES = 100


@dataclass(frozen=True, kw_only=True)
class Query:
    """What is asked of a detector: instances whose score is `score_threshold` or more, of the
    classes of those names (None: of all), `max_instances` of a picture at most.
    """

    score_threshold: float = SCORE_THRESHOLD
    classes: tuple[str, ...] | None = None
    max_instances: int = MAX_INSTANCES


DEFAULT_QUERY = Query()


def split_names(text: str) -> list[str]:
    """The names of classes in a text, with commas between."""
    return [name.strip() for name in text.split(",")]


@dataclass(frozen=True)
class Instance:
    """A thing: its class, how sure that is, and its box: left, top, right, bottom in pixels."""

    label: str
    score: float
    box: tuple[float, float, float, float]
    mask: RunLengths


@dataclass(frozen=True)
class DetectedInstances:
    """The instances in a photo, highest score first, and the photo's size in pixels."""

    width: int
    height: int
    instances: list[Instance]


@dataclass(frozen=True, eq=False)
class Detections:
    """One photo's answer, an entry for each instance, highest score first.

    `boxes_xyxy` is float32 of shape (N, 4): left, top, right, bottom in pixels
    of a photo of `size` (width, height). `labels` are ids, int64 of shape (N,),
    whose names are `names`; `scores` is float32 of shape (N,), between 0 and 1.
    """

    boxes_xyxy: Float32Array
    labels: Int64Array
    scores: Float32Array
    masks: tuple[InstanceMask, ...]
    size: tuple[int, int]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.masks)

    def at(self, numbers: Sequence[int]) -> "Detections":
        """The instances of those numbers."""
        index = np.array(numbers, np.intp)
        return Detections(
            self.boxes_xyxy[index],
            self.labels[index],
            self.scores[index],
            tuple(self.masks[k] for k in numbers),
            self.size,
            self.names,
        )

    def only(self, label_ids: Collection[int], max_instances: int | None = None) -> "Detections":
        """The first instances of those classes, `max_instances` at most."""
        index = [k for k, label in enumerate(self.labels.tolist()) if label in label_ids]
        return self.at(index[:max_instances])

    def distinct(self) -> "Detections":
        """The instances less those that one of a higher score shows already."""
        return self.at(distinct(self.boxes_xyxy, self.labels.tolist(), self.masks))

    def summary(self) -> DetectedInstances:
        """What is said of the instances in JSON: scores and boxes are rounded."""
        rows = zip(self.labels, self.scores, self.boxes_xyxy.tolist(), self.masks, strict=True)
        instances = [
            Instance(
                self.names[label],
                round(float(score), 4),
                (round(x1, 2), round(y1, 2), round(x2, 2), round(y2, 2)),
                mask.to_coco(self.size),
            )
            for label, score, (x1, y1, x2, y2), mask in rows
        ]
        return DetectedInstances(*self.size, instances)


class Detector(Predictor[DetectionEngine, Detections]):
    """Instances in photos of any size, from a model bundle."""

    task = "detection"
    _load = staticmethod(load_detection_engine)

    def __call__(
        self,
        images: Sequence[Image.Image],
        query: Query = DEFAULT_QUERY,
        duplicates: bool = False,
    ) -> list[Detections]:
        """The instances in RGB photos that are asked for.

        ValueError if the model has no class of one of the names in `query`. The
        network itself leaves out what scores under 0.05, and keeps 100 at most.
        What it finds twice is there once (`bentoml_img.postprocessing.duplicates`), but for
        `duplicates`.
        """
        wanted = self._ids(query.classes)
        return [
            self._detect(image, query.score_threshold, duplicates).only(wanted, query.max_instances)
            for image in images
        ]

    def preprocess(self, image: Image.Image) -> tuple[Float32Array, tuple[int, int]]:
        """What the network sees of an RGB photo: shape (1, 3, H, W), normalised, with padding.

        And the (height, width) of it that is photo.
        """
        return prepare(rgb_array(image), self.manifest)

    def check_classes(self, classes: Collection[str] | None) -> None:
        """ValueError if the model has no class of one of those names."""
        self._ids(classes)

    def _ids(self, classes: Collection[str] | None) -> Collection[int]:
        if classes is None:
            return range(len(self.manifest.labels))
        known = real_classes(self.manifest.labels)
        if unknown := sorted(set(classes) - set(known)):
            raise ValueError(f"no class {unknown[0]!r}: choose from {', '.join(known)}")
        return {known[name] for name in classes}

    def _detect(self, image: Image.Image, score_threshold: float, duplicates: bool) -> Detections:
        seen, (height, width) = self.preprocess(image)
        found = self.engine(seen, (height, width), score_threshold)
        across, down = image.width / width, image.height / height
        boxes = found.boxes_xyxy * np.array((across, down, across, down), np.float32)
        masks = tuple(
            paste(scores, box, image.size)
            for scores, box in zip(found.mask_scores, boxes, strict=True)
        )
        detections = Detections(
            boxes, found.labels, found.scores, masks, image.size, self.manifest.labels
        )
        return detections if duplicates else detections.distinct()
