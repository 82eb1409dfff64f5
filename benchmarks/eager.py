"""Networks in eager PyTorch, called as examples do, to compare ours with."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.models.detection import MaskRCNN

from bentoml_img.arrays import Float32Array
from bentoml_img.bundle import Bundle
from bentoml_img.detect import SCORE_THRESHOLD, Detections
from bentoml_img.engines.torch import load_module
from bentoml_img.postprocessing.masks import InstanceMask
from bentoml_img.segment import Segmenter


class EagerMaskRcnn:
    """A detector's weights in torchvision's model, by its own forward.

    It makes masks of all that scores 0.05 or more, each as large as the photo
    (`paste_masks_in_image`); what scores less than SCORE_THRESHOLD is dropped
    afterwards, as examples do.
    """

    def __init__(self, folder: Path) -> None:
        bundle = Bundle.open(folder)
        manifest, model = bundle.manifest, load_module(bundle)
        assert isinstance(model, MaskRCNN)
        short, long = manifest.input_size
        model.transform.min_size, model.transform.max_size = (short,), long
        self._model, self._names = model, manifest.labels

    @torch.inference_mode()
    def __call__(self, images: Sequence[Image.Image]) -> list[Detections]:
        """The instances in RGB photos, one photo after another."""
        return [self._detect(image) for image in images]

    def _detect(self, image: Image.Image) -> Detections:
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
        (answer,) = self._model([pixels])
        sure = answer["scores"] >= SCORE_THRESHOLD
        boxes, labels, scores, masks = (
            answer[name][sure].numpy() for name in ("boxes", "labels", "scores", "masks")
        )
        whole = tuple(InstanceMask(0, 0, mask) for mask in masks[:, 0] > 0.5)
        return Detections(boxes, labels, scores, whole, image.size, self._names)


class EagerNetwork:
    """A network in PyTorch as it comes, as an engine: images (N, 3, H, W) in, outputs out."""

    def __init__(self, bundle: Bundle) -> None:
        self._module = load_module(bundle)

    @torch.inference_mode()
    def __call__(self, batch: Float32Array) -> Float32Array:
        outputs: Float32Array = self._module(torch.from_numpy(batch)).numpy()
        return outputs


def eager_segmenter(folder: Path, threads: int | None = None) -> Segmenter:
    if threads is not None:
        torch.set_num_threads(threads)
    bundle = Bundle.open(folder)
    return Segmenter(bundle.manifest, EagerNetwork(bundle))
