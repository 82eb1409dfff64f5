"""Train the CIFAR-10 classifier.

The recipe: fixed whitening layer, Muon on the filters and SGD on the rest,
label smoothing, alternating flips (each photo is mirrored in every second
epoch), random crops and cutout, learning rates falling linearly to zero. The
ideas are those of airbench (arXiv 2404.00498); what it reaches, where and in
how long is in artifacts/cifar_net/README.md.

All randomness is a function of the seed and the step, so that a run that was
interrupted and resumed gives the weights of one that was not.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from bentoml_img.models.cifar_net import WIDTHS, CifarNet, whitening_weight
from bentoml_img.training import checkpoint
from bentoml_img.training.cifar10 import DatasetError, Split
from bentoml_img.training.muon import Muon
from bentoml_img.training.precision import autocast

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)
WATCHED = 2000


@dataclass(frozen=True)
class Recipe:
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
    seed: int = 0


@dataclass(frozen=True)
class Progress:
    """One step done: loss and accuracy (0–1) of its batch."""

    step: int
    loss: float
    accuracy: float

    @property
    def losses(self) -> Mapping[str, float]:
        return {"loss": self.loss}

    def __str__(self) -> str:
        return f"loss {self.loss:.3f}, accuracy {self.accuracy:.1%}"


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
        batch = normalize(batch)
        if self.recipe.cutout:
            hole = torch.randint(0, side, (2, n, 1), generator=generator)
            near = (span - hole).abs() < self.recipe.cutout / 2
            batch.masked_fill_((near[0][:, :, None] & near[1][:, None, :])[:, None], 0.0)
        return batch


def normalize(images: Tensor) -> Tensor:
    """uint8 (N, H, W, 3) → float (N, 3, H, W) in channels_last, zero mean, unit variance."""
    scaled = (images.float() / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    return scaled.permute(0, 3, 1, 2)


class Trainer:
    """A training run that can be stopped after any step and resumed from its checkpoint.

    `history` has an entry for each evaluation: step, loss and train_accuracy of
    the last batch, test_accuracy_2000 on the first 2,000 images of `test` (to
    watch; nothing is chosen by it), and seconds of training so far. DatasetError
    if the images of `train` are less than a batch.
    """

    def __init__(
        self,
        train: Split,
        test: Split,
        recipe: Recipe,
        widths: tuple[int, int, int] = WIDTHS,
        device: str = "cpu",
    ) -> None:
        if len(train) < recipe.batch_size:
            raise DatasetError(f"{len(train)} images are less than a batch of {recipe.batch_size}")
        self.recipe = recipe
        self.device = torch.device(device)
        self.watched = test.subset(WATCHED)
        self.labels = torch.from_numpy(train.labels)
        self.augment = Augment(train.images, recipe)
        self.steps_per_epoch = len(train) // recipe.batch_size
        self.steps = max(1, round(recipe.epochs * self.steps_per_epoch))
        self.step = 0
        self.seconds = 0.0
        torch.manual_seed(recipe.seed)
        model = CifarNet(widths=widths)
        sample = normalize(torch.from_numpy(train.images[:5000]))
        model.whiten.weight.data.copy_(whitening_weight(sample))
        self.model = model.to(memory_format=torch.channels_last).to(self.device)
        self.optimizers = self._optimizers()
        self.history: list[dict[str, float]] = []
        self._last = Progress(0, math.nan, math.nan)

    def _optimizers(self) -> list[torch.optim.Optimizer]:
        recipe, model = self.recipe, self.model
        filters = [p for p in model.stages.parameters() if p.ndim == 4]
        biases = [p for p in model.stages.parameters() if p.ndim == 1 and p.requires_grad]
        sgd = torch.optim.SGD(
            [
                {"params": [model.whiten.bias], "lr": recipe.bias_lr, "decay": 0.0},
                {"params": biases, "lr": recipe.bias_lr},
                {"params": [model.head.weight], "lr": recipe.head_lr},
            ],
            momentum=0.85,
            nesterov=True,
        )
        muon = Muon(filters, lr=recipe.filter_lr, momentum=recipe.filter_momentum)
        for optimizer in (sgd, muon):
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]
        for group in sgd.param_groups:
            group["weight_decay"] = recipe.weight_decay / group["lr"]
        return [sgd, muon]

    def run(self, on_step: Callable[[Progress], None] = lambda progress: None) -> None:
        """Train from the current step to the last.

        `on_step` is called after each step: it may evaluate, save, and stop the
        run by raising.
        """
        self.model.train()
        start = time.monotonic() - self.seconds
        while self.step < self.steps:
            self._last = self._one_step()
            self.seconds = time.monotonic() - start
            on_step(self._last)

    def evaluate(
        self, on_photo: Callable[[int, int], None] = lambda done, total: None
    ) -> dict[str, float]:
        """The last step's figures and the accuracy on the watched images, also put into `history`.

        The images take a second: `on_photo` is called once, at the end.
        """
        hits = predict_logits(self.model, self.watched.images).argmax(1) == self.watched.labels
        self.model.train()
        on_photo(len(hits), len(hits))
        entry = {
            "step": self.step,
            "loss": self._last.loss,
            "train_accuracy": self._last.accuracy,
            "test_accuracy_2000": float(hits.mean()),
            "seconds": self.seconds,
        }
        self.history.append(entry)
        return entry

    def _one_step(self) -> Progress:
        epoch, position = divmod(self.step, self.steps_per_epoch)
        size = self.recipe.batch_size
        order = torch.randperm(len(self.labels), generator=self._generator(1, epoch))
        index = order[position * size : (position + 1) * size]
        images = self.augment(index, epoch, self._generator(2, self.step)).to(self.device)
        labels = self.labels[index].to(self.device)

        self._set_learning_rates()
        with autocast(self.device):
            logits = self.model(images)
        smoothing = self.recipe.label_smoothing
        loss = nn.functional.cross_entropy(logits.float(), labels, label_smoothing=smoothing)
        torch.autograd.backward(loss)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        self.step += 1
        accuracy = (logits.argmax(1) == labels).float().mean().item()
        return Progress(self.step, loss.item(), accuracy)

    def _generator(self, stream: int, index: int) -> torch.Generator:
        return torch.Generator().manual_seed((self.recipe.seed << 40) | (stream << 32) | index)

    def _set_learning_rates(self) -> None:
        remaining = 1 - self.step / self.steps
        whiten_remaining = 1 - self.step / (self.recipe.whiten_epochs * self.steps_per_epoch)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * remaining
        whiten = self.optimizers[0].param_groups[0]
        whiten["lr"] = whiten["initial_lr"] * max(0.0, whiten_remaining)

    def save(self, path: Path) -> None:
        """Write a checkpoint, beside and then in place of the last one."""
        state = {
            "recipe": asdict(self.recipe),
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "history": self.history,
            "seconds": self.seconds,
        }
        checkpoint.save(state, path)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint; CheckpointError if it is damaged or of another recipe."""
        state = checkpoint.load(path)
        checkpoint.check_recipe(path, state["recipe"], asdict(self.recipe))
        self.step, self.history = state["step"], state["history"]
        self.seconds = state.get("seconds", 0.0)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)


def best_device() -> str:
    """The device to train on: the GPU, if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


@torch.inference_mode()
def predict_logits(model: CifarNet, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Logits (N, 10) of uint8 images (N, 32, 32, 3), one view each; sets `model` to eval mode."""
    model.eval()
    device = model.head.weight.device
    batches = torch.split(torch.from_numpy(images), 500)
    return np.concatenate([model(normalize(b).to(device)).float().cpu().numpy() for b in batches])
