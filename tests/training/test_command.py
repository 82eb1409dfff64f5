import click
import pytest
import torch
from click.testing import CliRunner

from bentoml_img.cli.options import SEEDS
from bentoml_img.training.classification.trainer import Trainer
from bentoml_img.training.command import resumable, run_options
from bentoml_img.training.errors import Diverged, UnusableFile
from bentoml_img.training.readable import first_readable
from bentoml_img.training.run import RunRecipe
from tests.training.tiny import make_split, tiny_recipe


@click.command()
@run_options(RunRecipe)
@click.pass_context
def diverge(context: click.Context, /, **options: object) -> None:
    with resumable(context):
        raise Diverged("loss is nan in step 1")


def test_a_run_that_diverges_ends_in_one_line() -> None:
    result = CliRunner().invoke(diverge, ["--output-dir", "out"])
    assert (result.exit_code, result.stderr) == (1, "Error: loss is nan in step 1\n")


def test_a_photo_that_cannot_be_read_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    def load(photo: str) -> str:
        if photo == "a.jpg":
            raise UnusableFile(f"{photo} is damaged")
        return photo

    with resumable(click.Context(diverge)):
        assert first_readable(iter(["a.jpg", "b.jpg"]), load) == "b.jpg"
    assert capsys.readouterr().err == "warning: a.jpg is damaged; another takes its place\n"


def test_a_seed_too_large_for_the_generators_is_refused() -> None:
    result = CliRunner().invoke(diverge, ["--output-dir", "out", "--seed", str(2**32)])
    assert result.exit_code == 2
    assert "0<=x<=4294967295" in result.stderr


def test_the_largest_seed_is_one_of_the_generators() -> None:
    assert SEEDS.max is not None
    seed = int(SEEDS.max)
    trainer = Trainer(make_split(20, 0), make_split(10, 1), tiny_recipe(seed=seed))
    trainer._one_step(trainer._load(0))
    assert torch.initial_seed() == seed << 32
