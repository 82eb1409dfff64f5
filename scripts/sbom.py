"""The Python packages of an image as a bill of materials, in CycloneDX's JSON."""

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from scripts.buildah import BuildError, Image

PIN = re.compile(r"([\w.-]+)==([^\s;\\]+)")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
LICENSE = "License :: "  # how a classifier that names one begins


def bill_of_materials(image: Image, name: str, version: str) -> dict[str, Any]:
    """What is installed in the image of a Bento: versions, licences, and the lock's hashes.

    BuildError if something is installed that the Bento's lock does not name.
    """
    lock = hashes(image.root / image.folder.lstrip("/") / "env" / "python" / "requirements.txt")
    components = []
    for package in sorted(_installed(image.root), key=lambda it: canonicalize_name(it.name)):
        release = f"{canonicalize_name(package.name)}=={package.version}"
        if release not in lock:
            raise BuildError(f"{release} is in the image, but not in the lock")
        components.append(_component(package, lock[release]))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name, "version": version}},
        "components": components,
    }


def hashes(lock: Path) -> dict[str, list[str]]:
    """By release, NAME==VERSION, the SHA-256 of each of its files that a lock allows."""
    releases: dict[str, list[str]] = {}
    release = ""
    for line in lock.read_text().splitlines():
        if pin := PIN.match(line):
            release = f"{canonicalize_name(pin[1])}=={pin[2]}"
            releases[release] = []
        if found := HASH.findall(line):
            releases[release] += found
    return releases


def _installed(root: Path) -> Iterator[Distribution]:
    folders = root.glob("app/.venv/lib/python*/site-packages")
    return iter(distributions(path=[str(folder) for folder in folders]))


def _component(package: Distribution, files: list[str]) -> dict[str, Any]:
    name = canonicalize_name(package.name)
    purl = f"pkg:pypi/{name}@{package.version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": package.version,
        "purl": purl,
        "licenses": _licenses(package),
        "externalReferences": [
            {
                "type": "distribution",
                "url": f"https://pypi.org/project/{name}/{package.version}/",
                "comment": "the hashes of the files one of which was installed",
                "hashes": [{"alg": "SHA-256", "content": file} for file in files],
            }
        ],
    }


def _licenses(package: Distribution) -> list[dict[str, Any]]:
    """An SPDX expression, or else the names that the package has given its licences."""

    def headers(name: str) -> list[str]:
        return package.metadata.get_all(name) or []

    if expressions := headers("License-Expression"):
        return [{"expression": it} for it in expressions]
    names = [it.rpartition(" :: ")[2] for it in headers("Classifier") if it.startswith(LICENSE)]
    # Some give the licence's whole text in place of its name.
    names = names or [it for it in headers("License") if "\n" not in it]
    return [{"license": {"name": it}} for it in names]
