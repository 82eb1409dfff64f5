"""Train the CIFAR-10 classifier.

The recipe: fixed whitening layer, Muon on the filters and SGD on the rest,
label smoothing, alternating flips (each photo is mirrored in every second
epoch), random crops and cutout, learning rates falling linearly to zero. The
ideas are those of airbench (arXiv 2404.00498); what it reaches, where and in
how long is in artifacts/cifar_net/README.md.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from bentoml_img.models.cifar_net import WIDTHS, CifarNet, whitening_weight
from bentoml_img.training.autocast import autocast
from bentoml_img.training.classification.cifar10 import Split
from bentoml_img.training.classification.muon import Muon
from bentoml_img.training.normalize import normalize
from bentoml_img.training.run import Progress, Run, RunRecipe
from bentoml_img.transforms import CIFAR

WATCHED = 2000


@dataclass(frozen=True)
class Recipe(RunRecipe):
    """What a run depends on, beside the data. Sizes are in pixels."""

    epochs: float = 15
    batch_size: int = 1000
    filter_lr: float = 0.15
    filter_momentum: float = 0.6
    head_lr: float = 0.5
    bias_lr: float = 0.05
    weight_decay: float = 2e-3
    label_smoothing: float = 0.2
    max_shift: int = 4
    cutout: int = 8
    whiten_epochs: float = 3


class Augment:
    """Crops, flips and cutout for batches of one training split."""

    def __init__(self, images: npt.NDArray[np.uint8], recipe: Recipe) -> None:
        shift = recipe.max_shift
        pad = ((0, 0), (shift, shift), (shift, shift), (0, 0))
        self.padded = torch.from_numpy(np.pad(images, pad, mode="reflect"))
        self.recipe = recipe
        self.side = images.shape[1]
        coin = torch.Generator().manual_seed(recipe.seed)
        self.first_flip = torch.rand(len(images), generator=coin) < 0.5

    def __call__(self, index: Tensor, epoch: int, generator: torch.Generator) -> Tensor:
        """The images at `index`, shape (N, 3, side, side), normalised."""
        n, side = len(index), self.side
        span = torch.arange(side)
        corner = torch.randint(0, 2 * self.recipe.max_shift + 1, (2, n, 1), generator=generator)
        rows, columns = corner + span
        flip = self.first_flip[index] ^ bool(epoch % 2)
        columns = torch.where(flip[:, None], columns.flip(1), columns)
        batch = self.padded[index[:, None, None], rows[:, :, None], columns[:, None, :]]
        batch = normalize(batch, CIFAR)
        if self.recipe.cutout:
            hole = torch.randint(0, side, (2, n, 1), generator=generator)
            near = (span - hole).abs() < self.recipe.cutout / 2
            batch.masked_fill_((near[0][:, :, None] & near[1][:, None, :])[:, None], 0.0)
        return batch


class Trainer(Run[CifarNet, tuple[Tensor, Tensor]]):
    """A run of which each entry of the history has the accuracy on test images.

    That is `test_accuracy_2000`, on the first 2,000 images of `test` (to watch;
    nothing is chosen by it). Beside it stand step, loss and train_accuracy of the
    last batch, and seconds of training so far.
    """

    recipe: Recipe

    def __init__(
        self,
        train: Split,
        test: Split,
        recipe: Recipe,
        widths: tuple[int, int, int] = WIDTHS,
        device: str | torch.device = "cpu",
    ) -> None:
        self.watched = test.subset(WATCHED)
        self.labels = torch.from_numpy(train.labels)
        self.augment = Augment(train.images, recipe)
        torch.manual_seed(recipe.seed)
        network = CifarNet(widths=widths)
        sample = normalize(torch.from_numpy(train.images[:5000]), CIFAR)
        network.whiten.weight.data.copy_(whitening_weight(sample))
        steps_per_epoch = len(train) // recipe.batch_size
        optimizers = _optimizers(network, recipe, steps_per_epoch)
        super().__init__(network, optimizers, recipe, len(train), steps_per_epoch, device)
        self._last = {"loss": math.nan, "accuracy": math.nan}

    def _load(self, step: int) -> tuple[Tensor, Tensor]:
        epoch, position = divmod(step, self.steps_per_epoch)
        size = self.recipe.batch_size
        order = torch.randperm(len(self.labels), generator=self._generator(1, epoch))
        index = order[position * size : (position + 1) * size]
        return self.augment(index, epoch, self._generator(2, step)), self.labels[index]

    def _generator(self, stream: int, index: int) -> torch.Generator:
        return torch.Generator().manual_seed((self.recipe.seed << 40) | (stream << 32) | index)

    def _backward(self, batch: tuple[Tensor, Tensor]) -> Mapping[str, Tensor]:
        images, labels = (part.to(self.device) for part in batch)
        with autocast(self.device):
            logits = self.network(images)
        smoothing = self.recipe.label_smoothing
        loss = nn.functional.cross_entropy(logits.float(), labels, label_smoothing=smoothing)
        torch.autograd.backward(loss)
        return {"loss": loss, "accuracy": (logits.argmax(1) == labels).float().mean()}

    def _rate(self, group: Mapping[str, Any]) -> float:
        steps: float = group.get("steps", self.steps)
        return max(0.0, 1 - self.step / steps)

    def _one_step(self, batch: tuple[Tensor, Tensor]) -> Progress:
        progress = super()._one_step(batch)
        self._last = dict(progress.figures)
        return progress

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "last": self._last}

    def _set_state(self, state: Mapping[str, Any]) -> None:
        super()._set_state(state)
        self._last = state["last"]

    def evaluate(
        self, on_photo: Callable[[int, int], None] = lambda done, total: None
    ) -> dict[str, Any]:
        """The last step's figures and the accuracy on the watched images, also put into `history`.

        The images take a second: `on_photo` is called once, at the end.
        """
        hits = module_logits(self.network, self.watched.images).argmax(1) == self.watched.labels
        self.network.train()
        on_photo(len(hits), len(hits))
        entry = {
            "step": self.step,
            "loss": self._last["loss"],
            "train_accuracy": self._last["accuracy"],
            "test_accuracy_2000": float(hits.mean()),
            "seconds": self.seconds,
        }
        self.history.append(entry)
        return entry


def _optimizers(network: CifarNet, recipe: Recipe, steps_per_epoch: int) -> list[Optimizer]:
    """SGD and Muon; a group with `steps` learns for so many only."""
    filters = [p for p in network.stages.parameters() if p.ndim == 4]
    biases = [p for p in network.stages.parameters() if p.ndim == 1 and p.requires_grad]
    groups: list[dict[str, Any]] = [
        {
            "params": [network.whiten.bias],
            "lr": recipe.bias_lr,
            "steps": recipe.whiten_epochs * steps_per_epoch,
        },
        {"params": biases, "lr": recipe.bias_lr},
        {"params": [network.head.weight], "lr": recipe.head_lr},
    ]
    for group in groups:
        group["weight_decay"] = recipe.weight_decay / group["lr"]
    return [
        torch.optim.SGD(groups, momentum=0.85, nesterov=True),
        Muon(filters, lr=recipe.filter_lr, momentum=recipe.filter_momentum),
    ]


@torch.inference_mode()
def module_logits(model: CifarNet, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Logits (N, 10) of uint8 images (N, 32, 32, 3), one view each; sets `model` to eval mode."""
    model.eval()
    device = model.head.weight.device
    batches = torch.split(torch.from_numpy(images), 500)
    return np.concatenate(
        [model(normalize(b, CIFAR).to(device)).float().cpu().numpy() for b in batches]
    )
