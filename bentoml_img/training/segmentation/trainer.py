"""Train the light segmentation networks: one backbone, both heads at once.

A run as in `bentoml_img.training.run`, with cross-entropy on both heads. The backbone has a
smaller learning rate; its batch-norm statistics and first stages stay frozen. In the cool-down,
the batch-norm statistics of the heads are frozen, too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bentoml_img import zoo
from bentoml_img.arrays import Float32Array
from bentoml_img.labels import VOC_IGNORE
from bentoml_img.models.efficientnet_lite import EfficientNetLite
from bentoml_img.models.segmenters import HEADS
from bentoml_img.segment import Segmenter
from bentoml_img.training.autocast import autocast
from bentoml_img.training.figures import OnPhoto
from bentoml_img.training.layouts import Sample
from bentoml_img.training.normalize import normalize
from bentoml_img.training.proportions import proportions
from bentoml_img.training.run import Run, RunRecipe
from bentoml_img.training.segmentation.augment import Augmentation, load_batch
from bentoml_img.training.segmentation.confusion import frequent_classes
from bentoml_img.training.segmentation.data import class_shares
from bentoml_img.training.segmentation.evaluation import measure
from bentoml_img.training.segmentation.sampler import Sampler, Source
from bentoml_img.transforms import LITE


@dataclass(frozen=True)
class Recipe(RunRecipe):
    """The hyperparameters of a run.

    `fcn_loss` is the weight of the loss of the FCN head. Classes in less than
    the share `rare` of the photos are drawn more often. The first `frozen_stages` stages of the
    backbone do not learn. The loss is computed at points that are `loss_stride` pixels apart.
    """

    epochs: float = 4
    head_lr: float = 1e-3
    backbone_lr: float = 2e-4
    weight_decay: float = 0.1
    fcn_loss: float = 0.4
    loss_stride: int = 4
    frozen_stages: int = 3
    rare: float = 0.15
    augmentation: Augmentation = field(default_factory=Augmentation)


class Network(nn.Module):
    """A backbone and the heads on it; the heads' outputs are logits at output stride 16."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = EfficientNetLite()
        self.heads = nn.ModuleDict(
            {name: head(self.backbone.channels) for name, head in HEADS.items()}
        )

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.backbone(images)
        return {name: head(features) for name, head in self.heads.items()}


class Heads:
    """An engine with the scores of each head for one image: (heads, classes, H/16, W/16).

    `network` is in eval mode.
    """

    def __init__(self, network: Network, device: torch.device) -> None:
        self._network, self._device = network, device

    @torch.inference_mode()
    def __call__(self, batch: Float32Array) -> Float32Array:
        images = torch.from_numpy(batch).to(self._device, memory_format=torch.channels_last)
        with autocast(self._device):
            logits = self._network(images)
        scores: Float32Array = torch.cat(list(logits.values())).float().cpu().numpy()
        return scores


class Trainer(Run[Network, tuple[Tensor, Tensor]]):
    """A run whose history has the mIoU of each head on each validation set.

    `shares` are the `class_shares` of the samples of all sources, in their order. `start`
    sets the initial weights of the network.
    """

    recipe: Recipe

    def __init__(
        self,
        sources: Sequence[Source],
        shares: Float32Array,
        recipe: Recipe,
        start: Callable[[Network], None] = lambda network: None,
        validation: Mapping[str, Sequence[Sample]] | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        self.samples = [sample for source in sources for sample in source.samples]
        photos = [len(source.samples) for source in sources]
        origin = np.repeat(np.arange(len(sources)), photos)
        parts = proportions([source.weight for source in sources], photos)
        self.sampler = Sampler(shares, origin, parts, recipe.rare)
        self.validation = dict(validation or {})
        self._classes = {
            name: frequent_classes(class_shares(held_out))
            for name, held_out in self.validation.items()
        }
        torch.manual_seed(recipe.seed)
        network = Network()
        start(network)
        network.backbone.freeze(recipe.frozen_stages)
        super().__init__(
            network,
            [
                (list(network.backbone.parameters()), recipe.backbone_lr),
                (list(network.heads.parameters()), recipe.head_lr),
            ],
            recipe,
            len(self.samples),
            len(self.samples) // recipe.batch_size,
            device,
        )

    def _load(self, step: int) -> tuple[Tensor, Tensor]:
        recipe = self.recipe
        pixels, masks = load_batch(
            self.samples,
            self.sampler,
            recipe.batch_size,
            recipe.augmentation,
            (recipe.seed, step),
        )
        # The middle of each square of `loss_stride` pixels.
        middle = slice(recipe.loss_stride // 2, None, recipe.loss_stride)
        targets = np.ascontiguousarray(masks[:, middle, middle])
        return torch.from_numpy(pixels), torch.from_numpy(targets)

    def _backward(self, batch: tuple[Tensor, Tensor]) -> Mapping[str, Tensor]:
        pixels, masks = batch
        self._set_mode()
        targets = masks.to(self.device).long()
        with autocast(self.device):
            logits = self.network(normalize(pixels.to(self.device), LITE))
        losses = {name: self._loss(output, targets) for name, output in logits.items()}
        total = losses["deeplabv3_lite"] + self.recipe.fcn_loss * losses["fcn_lite"]
        torch.autograd.backward(total)
        return losses

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        size = targets.shape[1], targets.shape[2]
        upsampled = functional.interpolate(logits.float(), size, mode="bilinear")
        known = (targets != VOC_IGNORE).sum().clamp(min=1)
        total = functional.cross_entropy(
            upsampled, targets, ignore_index=VOC_IGNORE, reduction="sum"
        )
        return total / known

    def _set_mode(self) -> None:
        self.network.train()
        if self.cools_down:
            for module in self.network.heads.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()

    def _measure(self, on_photo: OnPhoto) -> dict[str, Any]:
        """The mIoU of the averaged weights on each validation set.

        Over all classes in a set, and over those in six or more of its photos.
        """
        manifest = zoo.find("deeplabv3_lite").manifest(license="unknown", trained_on="unknown")
        segmenter = Segmenter(manifest, Heads(self.average, self.device))
        entry: dict[str, Any] = {"iou": {}}
        for name, confusions in measure(segmenter, list(HEADS), self.validation, on_photo):
            for head, confusion in confusions.items():
                entry[f"{head}_{name}_miou"] = confusion.mean_iou()
                entry[f"{head}_{name}_frequent_miou"] = confusion.mean_iou(self._classes[name])
                entry["iou"][f"{head}_{name}"] = [
                    None if np.isnan(iou) else round(float(iou), 4) for iou in confusion.iou
                ]
        return entry
