"""What --evaluate prints."""

from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from bentoml_img.cli.errors import plain_errors
from bentoml_img.predictor import Predictor
from bentoml_img.training.errors import DatasetError
from bentoml_img.training.show_figures import print_figures


def print_evaluation(predictor: Predictor[Any, Any], data: Path) -> None:
    """Print what a predictor reaches on the data sets in the folder `data`, a JSON object a line.

    ClickException if `data` lacks the data sets of the predictor's task, or if a package that
    reads or measures them is missing.
    """
    with plain_errors("train", DatasetError):
        evaluation = import_module(f"bentoml_img.training.{predictor.task}.evaluation")
        print_figures(partial(evaluation.evaluate, predictor, data))
