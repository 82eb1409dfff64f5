import click
import pytest

from bentoml_img.cli.errors import plain_errors


@pytest.mark.parametrize("name", ["some_package", "some_package.part"])
def test_a_package_that_is_missing_is_told_with_the_extra(name: str) -> None:
    with pytest.raises(click.ClickException) as error, plain_errors("video"):
        raise ModuleNotFoundError(name=name)
    assert str(error.value) == "some_package is not installed: pip install -e '.[video]'"


@pytest.mark.parametrize("name", ["bentoml_img.nothing", "services", None])
def test_a_module_of_this_project_that_is_missing_is_an_error_of_ours(name: str | None) -> None:
    with pytest.raises(ModuleNotFoundError), plain_errors("video"):
        raise ModuleNotFoundError(name=name)
