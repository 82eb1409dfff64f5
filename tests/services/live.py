"""The service as its users meet it: a server process, and the command line."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

BENTOML = (sys.executable, "-m", "bentoml")


Answers = dict[str, dict[Path, bytes]]
"""By API and photo."""


@dataclass(frozen=True)
class Service:
    """One of the project's services: the model that it is tried with, and its APIs.

    `photos` and `clients` are how many it is tried with, as some are slow.
    """

    name: str
    model: str
    media_types: dict[str, str]  # of each API's answers
    photos: int = 20
    clients: int = 64

    @property
    def bento(self) -> str:
        return f"{self.name}:latest"

    def run(
        self, api: str, *arguments: str | Path, cwd: Path | None = None
    ) -> "subprocess.CompletedProcess[bytes]":
        """`bentoml run` of its Bento."""
        command = [*BENTOML, "run", self.bento, api, *map(str, arguments)]
        return subprocess.run(command, cwd=cwd, capture_output=True, timeout=240)


JSON = "application/json"
CLASSIFIER = Service("PytorchImageClassifier", "cifar_lite", {"predict": JSON, "classify": JSON})
SEGMENTER = Service(
    "PytorchImageSegment",
    "deeplabv3_lite",
    {"predict": "image/png", "overlay": "image/jpeg", "segment": JSON},
    photos=10,
)
DETECTOR = Service(
    "PytorchInstanceDetector",
    "maskrcnn_lite",
    {"predict": "image/jpeg", "detect": JSON},
    photos=4,
    clients=16,
)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass(frozen=True)
class Server:
    """A running `bentoml serve`, at 127.0.0.1."""

    port: int
    log: Path
    process: "subprocess.Popen[bytes]"

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reset_peak_memory(self) -> None:
        """Forget the peaks so far, as proc(5) says of clear_refs."""
        for folder in self._folders():
            (folder / "clear_refs").write_text("5")

    def peak_memory(self) -> int:
        """The sum over the server's processes of the most memory that each has had, in bytes."""
        lines = [
            line
            for folder in self._folders()
            for line in (folder / "status").read_text().splitlines()
        ]
        return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))

    def mapped(self) -> list[str]:
        """What each of its processes has in memory, with the files that it is of: proc(5), maps."""
        return [(folder / "maps").read_text() for folder in self._folders()]

    def kill(self) -> None:
        """End it, and its workers, without warning."""
        _kill(self.processes())

    def processes(self) -> set[int]:
        """The server and all that it has started: its workers are in sessions of their own."""
        parents = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it has ended meanwhile
                parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        family = {self.process.pid}
        while more := {child for child, parent in parents.items() if parent in family} - family:
            family |= more
        return family

    def _folders(self) -> list[Path]:
        return [Path("/proc", str(number)) for number in self.processes()]


@contextmanager
def serving(service: Service, folder: Path, **environment: str) -> Iterator[Server]:
    """Serve its Bento on a free port until the end; RuntimeError if it does not start.

    It has the packages of the Bento's lock alone, as in an image. `environment` is on top of that
    of this process.
    """
    port = free_port()
    log = folder / f"server-{port}.log"
    command = [*BENTOML, "serve", service.bento, "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | locked(service) | environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = Server(port, log, process)
    try:
        _wait_until_ready(server)
        yield server
    finally:
        started = server.processes()
        process.terminate()
        try:
            process.wait(30)
        finally:
            _kill(started)  # workers outlive a server that is killed


def locked(service: Service) -> dict[str, str]:
    """An environment in which no package can be imported that the Bento's lock does not have."""
    command = [*BENTOML, "get", service.bento, "--output", "path"]
    path = subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()
    folder = Path(__file__).parent / "locked"
    return {"PYTHONPATH": str(folder), "LOCK": f"{path}/env/python/requirements.txt"}


def answers(service: Service, server: Server, photos: Iterable[Path]) -> Answers:
    """What every API answers to every photo, sent as a form over HTTP."""
    given: Answers = {api: {} for api in service.media_types}
    with httpx.Client(base_url=server.url, timeout=240) as client:
        for api, photo in itertools.product(given, photos):
            answer = client.post(f"/{api}", files={"image": (photo.name, photo.read_bytes())})
            given[api][photo] = answer.raise_for_status().content
    return given


def _wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            if httpx.get(f"{server.url}/readyz", timeout=60).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"the server did not start:\n{server.log.read_text()}")


def _kill(processes: Iterable[int]) -> None:
    for number in processes:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
