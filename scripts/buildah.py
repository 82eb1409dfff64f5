"""Container images without a container engine: buildah alone, as root, in a folder of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bentoml_img.paths import ROOT
from services.container import BASE_IMAGE

IMAGES = ROOT / "build" / "image"
TOOLS = {"buildah": "buildah", "debootstrap": "debootstrap", "ip": "iproute2"}  # and packages
SUITE = "bookworm"  # the Debian release whose Python is 3.11
PACKAGES = ("python3", "python3-venv", "ca-certificates")
UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale")
CACHES = ("var/cache/apt", "var/lib/apt/lists", "var/log")


class BuildError(Exception):
    """Says in one line what is wrong and what to do."""


@dataclass(frozen=True)
class Image:
    """An image laid out as a folder, and how it wants to be run."""

    root: Path
    environment: Mapping[str, str]
    user: str
    folder: str
    entrypoint: tuple[str, ...]
    health: tuple[str, ...]


class Storage:
    """Images below one folder, apart from those of other tools.

    The vfs driver and chroot isolation need neither a daemon nor a kernel's
    namespaces, and so work inside another container too. vfs copies a layer
    whole, hence the builds without intermediate layers.
    """

    def __init__(self, folder: Path = IMAGES) -> None:
        missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
        if missing:
            raise BuildError(f"not all is there to build with: apt-get install {' '.join(missing)}")
        if os.geteuid():
            raise BuildError("building without a container engine needs root")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder.resolve()
        storage = self._write(
            "storage.conf",
            f'[storage]\ndriver = "vfs"\ngraphroot = "{self.folder}/storage"\n'
            f'runroot = "{self.folder}/run"\n',
        )
        volumes = ", ".join(f'"{volume}"' for volume in self._volumes())
        containers = self._write("containers.conf", f"[containers]\nvolumes = [{volumes}]\n")
        self.environment = {
            **os.environ,
            "CONTAINERS_STORAGE_CONF": str(storage),
            "CONTAINERS_CONF": str(containers),
            "BUILDAH_ISOLATION": "chroot",
            "BUILDAH_FORMAT": "docker",  # the other format, OCI, has no health check
        }

    def _volumes(self) -> Iterator[str]:
        """This machine's way to packages, as its environment tells it, for the build alone."""
        pip, uv = "[global]\n", "system-certs = true\n"
        if index := os.environ.get("PIP_INDEX_URL"):
            pip += f"index-url = {index}\n"
            uv += f'index-url = "{index}"\n'
        yield f"{self._write('pip.conf', pip)}:/etc/pip.conf:ro"
        yield f"{self._write('uv.toml', uv)}:/etc/uv/uv.toml:ro"
        if certificates := os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE"):
            yield f"{certificates}:/etc/ssl/certs/ca-certificates.crt:ro"

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def base(self) -> None:
        """Have the image BASE_IMAGE: as it is there, pulled, or made of Debian's packages."""
        if self.find(BASE_IMAGE):
            return
        if self._succeeds("pull", "--quiet", f"docker.io/library/{BASE_IMAGE}"):
            return
        _say(f"{BASE_IMAGE} cannot be pulled: making one like it with debootstrap ...")
        root = self.folder / "base"
        shutil.rmtree(root, ignore_errors=True)
        log = self.folder / "debootstrap.log"
        command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
        with log.open("wb") as file:
            made = subprocess.run([*command, SUITE, str(root)], stdout=file, stderr=file)
        if made.returncode:
            raise BuildError(f"debootstrap failed, see {log}")
        # Where the official image has its Python, with pip.
        self._run("chroot", str(root), "python3", "-m", "venv", "/usr/local")
        for path in (*UNUSED, *CACHES):
            shutil.rmtree(root / path, ignore_errors=True)
            (root / path).mkdir()
        container = self._buildah("from", "scratch")
        self._buildah("add", "--quiet", container, str(root), "/")
        self._buildah("commit", "--quiet", "--rm", container, BASE_IMAGE)
        shutil.rmtree(root)

    def build(self, bento: str) -> str:
        """`bentoml containerize` with buildah; returns the image's name."""
        self._forget(bento.lower().partition(":")[0])
        command = [sys.executable, "-m", "bentoml", "containerize", "--backend=buildah", bento]
        log = self.folder / "build.log"
        with log.open("wb") as file:
            built = subprocess.run(command, env=self.environment, stdout=file, stderr=file)
        if built.returncode:
            raise BuildError(f"bentoml containerize failed, see {log}")
        return bento.lower()

    def find(self, bento: str) -> str | None:
        """The identifier of the image that was built of a Bento of that name."""
        images = self._buildah("images", "--quiet", "--filter", f"reference={bento.lower()}")
        return images.split()[0] if images else None

    def _forget(self, bento: str) -> None:
        """Remove what earlier runs made of a Bento, and what interrupted ones left."""
        self._buildah("rm", "--all")
        while image := self.find(bento):
            self._buildah("rmi", "--force", image)

    @contextmanager
    def mounted(self, name: str) -> Iterator[Image]:
        """The image as a folder, until the block ends."""
        config: dict[str, Any] = json.loads(self._buildah("inspect", "--type", "image", name))[
            "Docker"
        ]["config"]
        container = self._buildah("from", "--pull-never", name)
        try:
            yield Image(
                root=Path(self._buildah("mount", container)),
                environment=dict(entry.split("=", 1) for entry in config["Env"]),
                user=config["User"],
                folder=config["WorkingDir"],
                entrypoint=tuple(config["Entrypoint"]),
                health=tuple(config["Healthcheck"]["Test"][1:]),
            )
        finally:
            self._buildah("rm", container)

    def _succeeds(self, *arguments: str) -> bool:
        command = ["buildah", *arguments]
        return not subprocess.run(command, env=self.environment, capture_output=True).returncode

    def _buildah(self, *arguments: str) -> str:
        return self._run("buildah", *arguments)

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise BuildError(f"{' '.join(command[:2])} failed: {done.stderr.strip()}")
        return done.stdout.strip()


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
