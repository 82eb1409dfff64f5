"""Each packaged service and its server, made once for all tests of it; an empty store of jobs."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from bentoml_img.paths import SHIPPED
from services.jobs import JobStore
from tests.services.live import CLASSIFIER, DETECTOR, SEGMENTER, Server, Service, serving


@pytest.fixture(scope="session", params=[CLASSIFIER, SEGMENTER, DETECTOR], ids=lambda it: it.name)
def service(request: pytest.FixtureRequest) -> Service:
    """Each of the services in turn."""
    given: Service = request.param
    return given


@pytest.fixture(scope="session")
def bento(service: Service) -> Service:
    """The service, its Bento in the store."""
    from bentoml_img.packaging import package

    package(SHIPPED / service.model)
    return service


@pytest.fixture(scope="session")
def running_server(bento: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(bento, tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def server(running_server: Server) -> Iterator[Server]:
    """The server; no test may leave a traceback in its log."""
    before = running_server.log.stat().st_size
    yield running_server
    log = running_server.log.read_bytes()[before:].decode()
    assert "Traceback" not in log
    assert "Warning" not in log


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the server's log with a failed test."""
    report = yield
    server = getattr(item, "funcargs", {}).get("running_server")
    if report.failed and isinstance(server, Server):
        report.sections.append(("server log", server.log.read_text()[-10_000:]))
    return report


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "jobs"


@pytest.fixture
def store(folder: Path) -> JobStore:
    return JobStore(folder, max_waiting=3, keep=3600)
