"""Class names and colours: the only such tables in the project."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LabelSet:
    """The classes of a data set, in the order of its ids."""

    name: str
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)


CIFAR10 = LabelSet(
    "cifar10",
    (
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ),
)
