"""Train the light Mask R-CNN.

A run as in `bentoml_img.training.run`. The backbone has a smaller learning rate, and its stages
of the largest stride, which see large things, the smallest: the small data sets would make them
forget what they know of these.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN

from bentoml_img import zoo
from bentoml_img.detect import Detector
from bentoml_img.engines.torch_maskrcnn import TorchMaskRcnn
from bentoml_img.models.detectors import maskrcnn_lite
from bentoml_img.training.autocast import autocast
from bentoml_img.training.detection.augment import Augmentation, Crop, boxes_of, load_batch
from bentoml_img.training.detection.evaluation import measure
from bentoml_img.training.detection.losses import Target, losses
from bentoml_img.training.detection.quality import mean_ap50
from bentoml_img.training.detection.sampler import Sampler, Source
from bentoml_img.training.detection.truth import Truth
from bentoml_img.training.figures import OnPhoto
from bentoml_img.training.normalize import normalize
from bentoml_img.training.run import Run, RunRecipe
from bentoml_img.transforms import LITE_PYRAMID


@dataclass(frozen=True)
class Recipe(RunRecipe):
    """The hyperparameters of a run.

    `backbone_lr` is the learning rate of the backbone's stages, `deep_lr` of those at the
    largest stride; the stem does not learn. `clip` is the largest norm of a gradient. Classes
    in less than the share `rare` of the scenes are drawn more often.
    """

    epochs: float = 12
    batch_size: int = 4
    cool_down: float = 0.6
    lr: float = 8e-4
    warm_up_steps: int = 300
    backbone_lr: float = 1.5e-4
    deep_lr: float = 5e-5
    clip: float = 5.0
    rare: float = 0.5
    augmentation: Augmentation = field(default_factory=Augmentation)


class Trainer(Run[MaskRCNN, tuple[Tensor, list[Target]]]):
    """A run whose history has the mask AP50 on each validation set.

    `start` sets the initial weights of the network; `validation` has the sets by name.
    """

    recipe: Recipe

    def __init__(
        self,
        sources: Sequence[Source],
        recipe: Recipe,
        validation: Mapping[str, Truth] | None = None,
        start: Callable[[MaskRCNN], None] = lambda network: None,
        device: str | torch.device = "cpu",
    ) -> None:
        self.validation = dict(validation or {})
        self.sampler = Sampler(sources, recipe.rare)
        torch.manual_seed(recipe.seed)
        network = maskrcnn_lite()
        start(network)
        super().__init__(
            network,
            _parts(network, recipe),
            recipe,
            len(self.sampler.scenes),
            self.sampler.batches(recipe.batch_size),
            device,
        )

    def _load(self, step: int) -> tuple[Tensor, list[Target]]:
        recipe = self.recipe
        crops = load_batch(
            self.sampler, recipe.batch_size, recipe.augmentation, (recipe.seed, step)
        )
        images = torch.from_numpy(np.stack([crop.pixels for crop in crops]))
        return images, [_target(crop) for crop in crops]

    def _backward(self, batch: tuple[Tensor, list[Target]]) -> Mapping[str, Tensor]:
        images, targets = batch
        here = [target.to(self.device) for target in targets]
        with autocast(self.device):
            found = losses(self.network, normalize(images.to(self.device), LITE_PYRAMID), here)
        torch.autograd.backward(torch.stack(list(found.values())).sum())
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        return found

    def _measure(self, on_photo: OnPhoto) -> dict[str, Any]:
        """The mask AP50 of the averaged weights on each validation set.

        The mean over all classes in the set, and that of each class.
        """
        manifest = zoo.find("maskrcnn_lite").manifest(license="unknown", trained_on="unknown")
        detector = Detector(manifest, TorchMaskRcnn(self.average, self.device))
        entry: dict[str, Any] = {"ap50": {}}
        for name, measured in measure(detector, self.validation, on_photo):
            entry[f"{name}_mask_ap50"] = mean_ap50(measured)
            entry["ap50"][name] = {
                quality.label: round(quality.ap50, 4)
                for quality in measured
                if quality.kind == "mask"
            }
        return entry


def _parts(network: MaskRCNN, recipe: Recipe) -> list[tuple[list[nn.Parameter], float]]:
    """The parameters and their learning rates; freezes the stem of the backbone."""
    body = network.backbone.body
    body.freeze()
    deep = body.level_stages[-2] + 1
    of_body = set(body.parameters())
    return [
        (list(body.stages[:deep].parameters()), recipe.backbone_lr),
        (list(body.stages[deep:].parameters()), recipe.deep_lr),
        ([p for p in network.parameters() if p not in of_body], recipe.lr),
    ]


def _target(crop: Crop) -> Target:
    return Target(
        torch.from_numpy(boxes_of(crop.masks)),
        torch.from_numpy(crop.labels),
        torch.from_numpy(np.ascontiguousarray(crop.masks)),
        torch.from_numpy(crop.crowds),
    )
