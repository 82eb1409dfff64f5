"""Train the CIFAR-10 classifier: EfficientNet-Lite2, fine-tuned.

A run as in `bentoml_img.training.run`, with cross-entropy on smoothed labels. The backbone has
a smaller learning rate; its batch-norm statistics and first stages stay frozen.
artifacts/cifar_lite/README.md has the accuracy and the training time.
"""

import copy
import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bentoml_img import zoo
from bentoml_img.arrays import Float32Array, UInt8Array
from bentoml_img.classify import Classifier
from bentoml_img.engines.torch import ModuleEngine
from bentoml_img.models.classifiers import LiteClassifier, cifar_lite
from bentoml_img.training.autocast import autocast
from bentoml_img.training.classification.augment import Augmentation, random_view
from bentoml_img.training.classification.cifar10 import Split
from bentoml_img.training.classification.evaluation import predict_logits
from bentoml_img.training.evenly import evenly
from bentoml_img.training.figures import OnPhoto, unwatched
from bentoml_img.training.normalize import normalize
from bentoml_img.training.pretrained import load_imagenet
from bentoml_img.training.run import Run, RunRecipe
from bentoml_img.training.weight_average import interpolate
from bentoml_img.transforms import LITE_SQUARE

WATCHED = 2000  # test images to evaluate on while training


@dataclass(frozen=True)
class Recipe(RunRecipe):
    """The hyperparameters of a run.

    Images are enlarged to `side` pixels. The first `frozen_stages` stages of the backbone do
    not learn. `start_share` is the share of the backbone's initial weights in `blend`.
    """

    epochs: float = 3
    batch_size: int = 64
    head_lr: float = 2e-3
    backbone_lr: float = 3e-4
    cool_down: float = 0.7
    label_smoothing: float = 0.1
    side: int = LITE_SQUARE.input_size[0]
    frozen_stages: int = 2
    start_share: float = 0.3
    augmentation: Augmentation = field(default_factory=Augmentation)


def start_from_imagenet(network: LiteClassifier) -> None:
    """Load the backbone's ImageNet weights; DatasetError if they are not installed."""
    load_imagenet(network.backbone)


class Trainer(Run[LiteClassifier, tuple[Tensor, Tensor]]):
    """A run whose history has the accuracy on test images.

    An entry has `test_accuracy_2000`, of `blend` on 2,000 evenly spaced images of `test`, and
    `loss` and `train_accuracy`, means over the batches since the entry before. `start` sets
    the initial weights of the network.
    """

    recipe: Recipe

    def __init__(
        self,
        train: Split,
        test: Split,
        recipe: Recipe,
        start: Callable[[LiteClassifier], None] = start_from_imagenet,
        device: str | torch.device = "cpu",
    ) -> None:
        self.train = train
        self.watched = test.subset(evenly(range(len(test)), WATCHED))
        torch.manual_seed(recipe.seed)
        network = cifar_lite()
        start(network)
        network.backbone.freeze(recipe.frozen_stages)
        self._start = copy.deepcopy(network.backbone.state_dict())
        super().__init__(
            network,
            [
                (list(network.backbone.parameters()), recipe.backbone_lr),
                (list(network.head.parameters()), recipe.head_lr),
            ],
            recipe,
            len(train),
            len(train) // recipe.batch_size,
            device,
        )

    def _load(self, step: int) -> tuple[Tensor, Tensor]:
        recipe = self.recipe
        epoch, position = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng((recipe.seed, 0, epoch)).permutation(len(self.train))
        index = order[position * recipe.batch_size : (position + 1) * recipe.batch_size]
        rng = np.random.default_rng((recipe.seed, 1, step))
        views = [
            random_view(image, recipe.side, recipe.augmentation, rng)
            for image in self.train.images[index]
        ]
        return torch.from_numpy(np.stack(views)), torch.from_numpy(self.train.labels[index])

    def _backward(self, batch: tuple[Tensor, Tensor]) -> Mapping[str, Tensor]:
        pixels, labels = (part.to(self.device) for part in batch)
        with autocast(self.device):
            logits = self.network(normalize(pixels, LITE_SQUARE))
        smoothing = self.recipe.label_smoothing
        loss = nn.functional.cross_entropy(logits.float(), labels, label_smoothing=smoothing)
        torch.autograd.backward(loss)
        return {"loss": loss, "accuracy": (logits.argmax(1) == labels).float().mean()}

    def blend(self) -> LiteClassifier:
        """The averaged network, its backbone interpolated with the initial one."""
        blended = copy.deepcopy(self.average)
        blended.backbone = interpolate(blended.backbone, self._start, self.recipe.start_share)
        return blended

    def _measure(self, on_photo: OnPhoto) -> dict[str, Any]:
        """Means over the batches since the last evaluation, and the accuracy on test images."""
        with autocast(self.device):
            logits = module_logits(self.blend(), self.watched.images, on_photo)
        loss, accuracy = (
            statistics.fmean(batch[name] for batch in self._recent) if self._recent else math.nan
            for name in ("loss", "accuracy")
        )
        return {
            "loss": loss,
            "train_accuracy": accuracy,
            "test_accuracy_2000": float((logits.argmax(1) == self.watched.labels).mean()),
        }


def module_logits(
    model: LiteClassifier, images: UInt8Array, on_photo: OnPhoto = unwatched
) -> Float32Array:
    """Logits (N, classes) of uint8 images (N, H, W, 3), preprocessed as in serving.

    `model` is in eval mode.
    """
    manifest = zoo.find("cifar_lite").manifest(license="unknown", trained_on="unknown")
    classifier = Classifier(manifest, ModuleEngine(model, model.head.weight.device))
    return predict_logits(classifier, images, on_photo)
