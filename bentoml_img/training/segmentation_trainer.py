"""Train the light segmentation networks: one backbone, both heads at once.

The recipe: AdamW with a smaller learning rate on a backbone whose batch
statistics and first layers stay as ImageNet left them, cross-entropy on both
heads, learning rates that rise fast, stay, and fall linearly at the end (the
cool-down, Hägele et al., arXiv 2405.18392), during which the heads' batch
statistics stay, too; an exponential moving average of the weights is what is
evaluated and exported.

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
from torch import Tensor, nn
from torch.nn import functional

from bentoml_img import zoo
from bentoml_img.labels import VOC_IGNORE
from bentoml_img.models.efficientnet_lite import EfficientNetLite
from bentoml_img.models.segmenters import BACKBONE, HEADS
from bentoml_img.training import checkpoint
from bentoml_img.training.precision import autocast
from bentoml_img.training.segmentation_augment import Augmentation, Floats, Sampler, load_batch
from bentoml_img.training.segmentation_data import DatasetError, Sample
from bentoml_img.training.segmentation_eval import evaluate, frequent_classes, normalize


@dataclass(frozen=True)
class Recipe:
    """What a run depends on, beside the data.

    `rare` is the share of photos under which a class is drawn more often,
    `frozen_stages` how many stages of the backbone do not learn, `loss_stride`
    the distance in pixels of the points where the loss is taken, `cool_down` the
    last part of the run. An epoch is as many draws as there are photos.
    """

    epochs: float = 4
    batch_size: int = 8
    head_lr: float = 1e-3
    backbone_lr: float = 2e-4
    weight_decay: float = 0.02
    warm_up_steps: int = 100
    cool_down: float = 0.5
    average_decay: float = 0.998
    fcn_loss: float = 0.4
    loss_stride: int = 4
    frozen_stages: int = 3
    rare: float = 0.15
    test_side: int = zoo.LITE.input_size[0]
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 0


@dataclass(frozen=True)
class Source:
    """Samples of one origin and the part of the draws that they are to have."""

    samples: Sequence[Sample]
    proportion: float


@dataclass(frozen=True)
class Progress:
    """One step done, and the loss of each head on its batch."""

    step: int
    losses: Mapping[str, float]

    def __str__(self) -> str:
        return ", ".join(f"{name} {loss:.3f}" for name, loss in self.losses.items())


class Network(nn.Module):
    """A backbone and the heads on it; the heads' outputs are logits at output stride 16."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = EfficientNetLite(BACKBONE)
        self.heads = nn.ModuleDict(
            {name: head(self.backbone.channels) for name, head in HEADS.items()}
        )

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.backbone(images)
        return {name: head(features) for name, head in self.heads.items()}


class Trainer:
    """A training run that can be stopped after any step and resumed from its checkpoint.

    `shares` are the class shares of all the sources' samples, in their order;
    `start` gives the network the weights to begin with.
    `history` has an entry for each evaluation: step, seconds of training, and of
    each head and validation set the mIoU. DatasetError if the photos are less
    than a batch.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        shares: Floats,
        recipe: Recipe,
        start: Callable[[Network], None] = lambda network: None,
        validation: Mapping[str, Sequence[Sample]] | None = None,
        validation_shares: Mapping[str, Floats] | None = None,
        device: str = "cpu",
    ) -> None:
        self.recipe = recipe
        self.device = torch.device(device)
        self.samples = [sample for source in sources for sample in source.samples]
        if len(self.samples) < recipe.batch_size:
            raise DatasetError(f"{len(self.samples)} photos are less than a batch")
        origin = np.repeat(np.arange(len(sources)), [len(s.samples) for s in sources])
        self.sampler = Sampler(shares, origin, [s.proportion for s in sources], recipe.rare)
        self.validation = dict(validation or {})
        self.steps_per_epoch = len(self.samples) // recipe.batch_size
        self.steps = max(1, round(recipe.epochs * self.steps_per_epoch))
        self.step = 0
        self.seconds = 0.0
        self.history: list[dict[str, Any]] = []
        torch.manual_seed(recipe.seed)
        network = Network()
        start(network)
        network.backbone.stem.requires_grad_(False)
        network.backbone.stages[: recipe.frozen_stages].requires_grad_(False)
        self.network = network.to(self.device).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimizer = self._optimizer()
        self._classes = {
            name: frequent_classes(rows) for name, rows in (validation_shares or {}).items()
        }

    def _optimizer(self) -> torch.optim.Optimizer:
        groups = []
        for module, lr in (
            (self.network.backbone, self.recipe.backbone_lr),
            (self.network.heads, self.recipe.head_lr),
        ):
            learning = [p for p in module.parameters() if p.requires_grad]
            for parameters, decay in (
                ([p for p in learning if p.ndim > 1], self.recipe.weight_decay),
                ([p for p in learning if p.ndim == 1], 0.0),
            ):
                groups.append(
                    {"params": parameters, "lr": lr, "initial_lr": lr, "weight_decay": decay}
                )
        return torch.optim.AdamW(groups)

    def run(self, on_step: Callable[[Progress], None] = lambda progress: None) -> None:
        """Train from the current step to the last.

        `on_step` is called after each step: it may evaluate, save, and stop the
        run by raising.
        """
        with ThreadPoolExecutor(1) as pool:
            batch = pool.submit(self._load, self.step)
            while self.step < self.steps:
                start = time.monotonic()
                pixels, masks = batch.result()
                if self.step + 1 < self.steps:
                    batch = pool.submit(self._load, self.step + 1)
                progress = self._one_step(pixels, masks)
                self.seconds += time.monotonic() - start
                on_step(progress)

    def _load(self, step: int) -> tuple[Tensor, Tensor]:
        recipe = self.recipe
        pixels, masks = load_batch(
            self.samples,
            self.sampler,
            recipe.batch_size,
            recipe.augmentation,
            (recipe.seed, step),
        )
        # The middle of every square that the loss looks at.
        middle = slice(recipe.loss_stride // 2, None, recipe.loss_stride)
        targets = np.ascontiguousarray(masks[:, middle, middle])
        return torch.from_numpy(pixels), torch.from_numpy(targets)

    def _one_step(self, pixels: Tensor, masks: Tensor) -> Progress:
        recipe = self.recipe
        self._set_mode()
        rate = self._rate()
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * rate
        torch.manual_seed((recipe.seed << 32) | self.step)  # dropout
        targets = masks.to(self.device).long()
        with autocast(self.device):
            logits = self.network(normalize(pixels.to(self.device)))
        losses = {name: self._loss(output, targets) for name, output in logits.items()}
        total = losses["deeplabv3_lite"] + recipe.fcn_loss * losses["fcn_lite"]
        torch.autograd.backward(total)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        self._update_average()
        values = {name: loss.item() for name, loss in losses.items()}
        return Progress(self.step, values)

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
        if self.step >= self._cool_down_start(self.steps):
            for module in self.network.heads.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()

    def _cool_down_start(self, steps: int) -> float:
        return steps * (1 - self.recipe.cool_down)

    def _rate(self) -> float:
        warm_up = (self.step + 1) / (self.recipe.warm_up_steps + 1)
        cool_down = (self.steps - self.step) / (self.recipe.cool_down * self.steps)
        return min(1.0, warm_up, cool_down)

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.recipe.average_decay, self.step / (self.step + 9))
        pairs = zip(self.average.state_dict().values(), self.network.state_dict().values())  # noqa: B905
        for mean, value in pairs:
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)

    def evaluate(
        self, on_photo: Callable[[int, int], None] = lambda done, total: None
    ) -> dict[str, Any]:
        """The mIoU of the averaged weights on each validation set, also put into `history`.

        Of each set over all classes that it has, and over those that six or more
        of its photos have. `on_photo` is called with the numbers of photos done
        and in all.
        """
        total = sum(len(samples) for samples in self.validation.values())
        done = itertools.count(1)
        entry: dict[str, Any] = {"step": self.step, "seconds": self.seconds, "iou": {}}
        heads = dict(self.average.heads.items())
        for name, samples in self.validation.items():
            with autocast(self.device):
                confusions = evaluate(
                    self.average.backbone,
                    heads,
                    samples,
                    self.recipe.test_side,
                    lambda: on_photo(next(done), total),
                )
            for head, confusion in confusions.items():
                entry[f"{head}_{name}_miou"] = confusion.mean_iou()
                entry[f"{head}_{name}_frequent_miou"] = confusion.mean_iou(self._classes[name])
                entry["iou"][f"{head}_{name}"] = [round(float(v), 4) for v in confusion.iou]
        self.history.append(entry)
        return entry

    def save(self, path: Path) -> None:
        """Write a checkpoint, beside and then in place of the last one."""
        state = {
            "recipe": asdict(self.recipe),
            "photos": len(self.samples),
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
        if (photos := state["photos"]) != len(self.samples):
            raise checkpoint.CheckpointError(f"{path} was made with {photos} photos")
        self.step, self.seconds, self.history = state["step"], state["seconds"], state["history"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
