import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("command", "package"),
    [
        ("detection", "torch"),
        ("detection", "scipy"),
        ("segmentation", "torch"),
        ("reduced_precision", "pycocotools"),
        ("classification.seeds", "torch"),
    ],
)
def test_a_command_without_the_extra_names_it(command: str, package: str) -> None:
    program = f"""
import runpy, sys
sys.modules["{package}"] = None
runpy.run_module("bentoml_img.training.{command}", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: {package} is not installed: pip install -e '.[train]'\n"
