"""The bill of materials of an image with a few packages."""

from pathlib import Path
from typing import Any

import pytest

from bentoml_img.paths import ROOT
from scripts.buildah import BuildError
from scripts.sbom import bill_of_materials, hashes
from tests.scripts.images import PACKAGES, image, write

ONE, TWO = "1" * 64, "2" * 64
LOCK = f"""\
typing-extensions==4.15.0 \\
    --hash=sha256:{ONE} \\
    --hash=sha256:{TWO}

# via bentoml
uvloop==0.22.1 ; sys_platform != "win32" \\
    --hash=sha256:{TWO}
"""


def install(root: Path, name: str, version: str, *headers: str) -> None:
    lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *headers]
    write(root, f"{PACKAGES}/{name}-{version}.dist-info/METADATA", "\n".join([*lines, "", ""]))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "home/bentoml/bento/env/python/requirements.txt", LOCK)
    install(tmp_path, "uvloop", "0.22.1")
    return tmp_path


def components(root: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = bill_of_materials(image(root), "Bento", "1")["components"]
    return found


def test_each_package_has_its_version_its_licence_and_the_hashes_of_the_lock(root: Path) -> None:
    install(root, "typing_extensions", "4.15.0", "License-Expression: PSF-2.0")
    package, other = components(root)
    assert (package["purl"], other["purl"]) == (
        "pkg:pypi/typing-extensions@4.15.0",
        "pkg:pypi/uvloop@0.22.1",
    )
    assert package["licenses"] == [{"expression": "PSF-2.0"}]
    (reference,) = package["externalReferences"]
    assert [it["content"] for it in reference["hashes"]] == [ONE, TWO]


@pytest.mark.parametrize(
    ("headers", "names"),
    [
        (["License: MIT"], ["MIT"]),
        (
            [
                "License: both",
                "Classifier: License :: OSI Approved :: MIT License",
                "Classifier: License :: OSI Approved :: Apache Software License",
                "Classifier: Topic :: Internet",
            ],
            ["MIT License", "Apache Software License"],
        ),
        (["License: Copyright (c) 2026", "        All rights"], []),
        ([], []),
    ],
)
def test_older_packages_name_their_licences_in_other_ways(
    root: Path, headers: list[str], names: list[str]
) -> None:
    install(root, "typing_extensions", "4.15.0", *headers)
    licenses = components(root)[0]["licenses"]
    assert [it["license"]["name"] for it in licenses] == names


def test_what_the_lock_does_not_name_is_an_error(root: Path) -> None:
    install(root, "typing_extensions", "4.16.0")
    with pytest.raises(BuildError, match=r"^typing-extensions==4\.16\.0 is in the image, but"):
        bill_of_materials(image(root), "Bento", "1")


@pytest.mark.parametrize(
    "lock", sorted((ROOT / "services" / "requirements").glob("*.txt")), ids=lambda it: it.stem
)
def test_every_release_of_our_locks_has_hashes(lock: Path) -> None:
    releases = hashes(lock)
    assert "bentoml" in {release.partition("==")[0] for release in releases}
    assert all(releases.values())
