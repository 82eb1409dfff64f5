"""What the tests of the scripts ask of a command's result."""

from collections.abc import Callable

from click.testing import Result

Invoke = Callable[..., Result]


def lines(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def assert_error(result: Result, code: int, *parts: str) -> None:
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    for part in ("Error: ", *parts):
        assert part in result.stderr
