"""Train the light Mask R-CNN.

The recipe: AdamW with a smaller learning rate on a backbone whose batch
statistics and first stages stay as they came, learning rates that rise fast,
stay, and fall linearly at the end (Hägele et al., arXiv 2405.18392); an
exponential moving average of the weights is what is evaluated and exported.

All randomness is a function of the seed and the step, so that a run that was
interrupted and resumed gives the weights of one that was not.
"""

import copy
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.models.detection import MaskRCNN

from bentoml_img import zoo
from bentoml_img.bundle import Manifest
from bentoml_img.detect import Detector
from bentoml_img.engines.maskrcnn import TorchMaskRcnn
from bentoml_img.labels import TRAFFIC
from bentoml_img.models.detectors import maskrcnn_lite
from bentoml_img.training import checkpoint
from bentoml_img.training.detection_augment import Augmentation, Crop, boxes_of, load_batch
from bentoml_img.training.detection_eval import Truth, evaluate, mean_ap50
from bentoml_img.training.detection_losses import Target, losses
from bentoml_img.training.detection_sampler import Sampler, Source
from bentoml_img.training.precision import autocast
from bentoml_img.training.segmentation_data import DatasetError
from bentoml_img.training.segmentation_eval import normalize


@dataclass(frozen=True)
class Recipe:
    """What a run depends on, beside the data.

    `frozen_stages` is how many stages of the backbone do not learn, `clip` the
    norm that a gradient has at most, `cool_down` the last part of the run, `rare`
    the share of scenes under which a class is drawn more often. An epoch is as
    many draws as there are scenes.
    """

    epochs: float = 12
    batch_size: int = 4
    lr: float = 8e-4
    backbone_lr: float = 2e-4
    weight_decay: float = 0.02
    clip: float = 10.0
    warm_up_steps: int = 100
    cool_down: float = 0.6
    average_decay: float = 0.998
    frozen_stages: int = 2
    rare: float = 0.15
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 0


@dataclass(frozen=True)
class Progress:
    """One step done, and the losses of its batch."""

    step: int
    losses: Mapping[str, float]

    def __str__(self) -> str:
        return ", ".join(f"{name} {loss:.3f}" for name, loss in self.losses.items())


class Trainer:
    """A training run that can be stopped after any step and resumed from its checkpoint.

    `start` gives the network the weights to begin with; `validation` has the
    photos to evaluate with, by name. `history` has an entry for each evaluation:
    step, seconds of training, and of each validation set the mask AP50.
    DatasetError if the photos are less than a batch.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        recipe: Recipe,
        validation: Mapping[str, Truth] | None = None,
        start: Callable[[MaskRCNN], None] = lambda network: None,
        build: Callable[[], MaskRCNN] = maskrcnn_lite,
        device: str = "cpu",
    ) -> None:
        self.recipe = recipe
        self.device = torch.device(device)
        self.validation = dict(validation or {})
        self.sampler = Sampler(sources, recipe.rare)
        scenes = len(self.sampler.scenes)
        if scenes < recipe.batch_size:
            raise DatasetError(f"{scenes} photos are less than a batch")
        self.steps_per_epoch = self.sampler.batches(recipe.batch_size)
        self.steps = max(1, round(recipe.epochs * self.steps_per_epoch))
        self.step = 0
        self.seconds = 0.0
        self.history: list[dict[str, Any]] = []
        torch.manual_seed(recipe.seed)
        network = build()
        start(network)
        body = network.backbone.body
        body.stem.requires_grad_(False)
        body.stages[: recipe.frozen_stages].requires_grad_(False)
        self.network = network.to(self.device).to(memory_format=torch.channels_last).train()
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimizer = self._optimizer()

    def _optimizer(self) -> torch.optim.Optimizer:
        recipe, body = self.recipe, set(self.network.backbone.body.parameters())
        learning = [p for p in self.network.parameters() if p.requires_grad]
        groups = []
        for lr, mine in (
            (recipe.backbone_lr, [p for p in learning if p in body]),
            (recipe.lr, [p for p in learning if p not in body]),
        ):
            for parameters, decay in (
                ([p for p in mine if p.ndim > 1], recipe.weight_decay),
                ([p for p in mine if p.ndim == 1], 0.0),
            ):
                groups.append(
                    {"params": parameters, "lr": lr, "initial_lr": lr, "weight_decay": decay}
                )
        return torch.optim.AdamW(groups, fused=True)

    def run(self, on_step: Callable[[Progress], None] = lambda progress: None) -> None:
        """Train from the current step to the last.

        `on_step` is called after each step: it may evaluate, save, and stop the
        run by raising.
        """
        with ThreadPoolExecutor(1) as pool:
            batch = pool.submit(self._load, self.step)
            while self.step < self.steps:
                start = time.monotonic()
                images, targets = batch.result()
                if self.step + 1 < self.steps:
                    batch = pool.submit(self._load, self.step + 1)
                progress = self._one_step(images, targets)
                self.seconds += time.monotonic() - start
                on_step(progress)

    def _load(self, step: int) -> tuple[Tensor, list[Target]]:
        recipe = self.recipe
        crops = load_batch(
            self.sampler, recipe.batch_size, recipe.augmentation, (recipe.seed, step)
        )
        images = torch.from_numpy(np.stack([crop.pixels for crop in crops]))
        return images, [_target(crop) for crop in crops]

    def _one_step(self, images: Tensor, targets: Sequence[Target]) -> Progress:
        rate = self._rate()
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * rate
        torch.manual_seed((self.recipe.seed << 32) | self.step)  # which boxes are sampled
        here = [target.to(self.device) for target in targets]
        with autocast(self.device):
            found = losses(self.network, normalize(images.to(self.device)), here)
        torch.autograd.backward(torch.stack(list(found.values())).sum())
        learning = [p for group in self.optimizer.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(learning, self.recipe.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        self._update_average()
        values = {name: loss.item() for name, loss in found.items()}
        return Progress(self.step, values)

    def _cool_down_start(self, steps: int) -> float:
        return steps * (1 - self.recipe.cool_down)

    def _rate(self) -> float:
        warm_up = (self.step + 1) / (self.recipe.warm_up_steps + 1)
        cool_down = (self.steps - self.step) / (self.recipe.cool_down * self.steps)
        return min(1.0, warm_up, cool_down)

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.recipe.average_decay, self.step / (self.step + 9))
        pairs = zip(self.average.parameters(), self.network.parameters(), strict=True)
        for mean, value in pairs:
            if value.requires_grad:  # the rest is there already
                mean.lerp_(value, 1 - decay)

    def evaluate(
        self, on_photo: Callable[[int, int], None] = lambda done, total: None
    ) -> dict[str, Any]:
        """The mask AP50 of the averaged weights on each validation set, also put into `history`.

        The mean over all classes that the set has, and that of each. `on_photo` is
        called with the numbers of photos done and in all.
        """
        total = sum(len(truth.image_ids) for truth in self.validation.values())
        done = itertools.count(1)
        detector = Detector(manifest(), TorchMaskRcnn(self.average, manifest(), self.device))
        entry: dict[str, Any] = {"step": self.step, "seconds": self.seconds, "ap50": {}}
        for name, truth in self.validation.items():
            figures = evaluate(detector, truth, lambda: on_photo(next(done), total))
            entry[f"{name}_mask_ap50"] = mean_ap50(figures)
            entry["ap50"][name] = {
                figure.label: round(figure.ap50, 4) for figure in figures if figure.kind == "mask"
            }
        self.history.append(entry)
        return entry

    def save(self, path: Path) -> None:
        """Write a checkpoint, beside and then in place of the last one."""
        state = {
            "recipe": asdict(self.recipe),
            "photos": len(self.sampler.scenes),
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
            "seconds": self.seconds,
        }
        checkpoint.save(state, path)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint; CheckpointError if it is damaged or of another recipe.

        Only the number of epochs may be another one, until the cool-down has begun.
        """
        state = checkpoint.load(path)
        was, now = state["recipe"], asdict(self.recipe)
        if state["step"] <= self._cool_down_start(round(was["epochs"] * self.steps_per_epoch)):
            now["epochs"] = was["epochs"]
        checkpoint.check_recipe(path, was, now)
        if (photos := state["photos"]) != len(self.sampler.scenes):
            raise checkpoint.CheckpointError(f"{path} was made with {photos} photos")
        self.step, self.seconds, self.history = state["step"], state["seconds"], state["history"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])


def manifest(trained_on: str = "", scores: Mapping[str, float] | None = None) -> Manifest:
    """What the manifest of a trained detector says."""
    transform = zoo.LITE_PYRAMID
    return Manifest(
        name=maskrcnn_lite.__name__,
        task="detection",
        labels=TRAFFIC.names,
        input_size=transform.input_size,
        stride=transform.stride,
        mean=transform.mean,
        std=transform.std,
        license="Apache-2.0",
        trained_on=trained_on,
        scores=scores or {},
    )


def _target(crop: Crop) -> Target:
    return Target(
        torch.from_numpy(boxes_of(crop.masks)),
        torch.from_numpy(crop.labels),
        torch.from_numpy(np.ascontiguousarray(crop.masks)),
        torch.from_numpy(crop.crowds),
    )
