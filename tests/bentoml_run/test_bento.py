"""What a service logs."""

import logging
from collections.abc import Iterator

import pytest

from bentoml_run.bento import redirect_log

SERVICE = logging.getLogger("a_service")
BENTOML = logging.getLogger("bentoml.server")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The loggers that are changed, as they were."""
    loggers = logging.getLogger(), logging.getLogger("bentoml")
    before = [(logger.handlers, logger.propagate) for logger in loggers]
    yield
    for logger, state in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = state


@pytest.mark.parametrize("logger", [SERVICE, BENTOML], ids=lambda it: it.name)
@pytest.mark.parametrize("verbose", [False, True])
def test_a_traceback_is_kept_for_those_who_ask(
    verbose: bool,
    logger: logging.Logger,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("BENTOML_DEBUG", str(verbose))
    last_error = redirect_log()
    error = ZeroDivisionError("why")
    logger.error("it failed", exc_info=error)
    printed = "it failed\nZeroDivisionError: why\n"
    assert last_error.take() is error
    assert last_error.take() is None
    assert capsys.readouterr() == ("", printed if verbose else "")


def test_a_warning_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    redirect_log()
    SERVICE.warning("slow")
    assert capsys.readouterr() == ("", "slow\n")
