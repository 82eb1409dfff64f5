"""The Dockerfile that BentoML generates from our image."""

from pathlib import Path

import pytest

from services.container import BASE_IMAGE, locked_image

LOCK = """\
bentoml==1.4.39 \\
    --hash=sha256:5243c7725ec59a88e6121380bac54f1ac70916d5b15eaa1665d09ce0969f637b
numpy==2.4.6 \\
    --hash=sha256:0000000000000000000000000000000000000000000000000000000000000000
"""


@pytest.fixture
def bento(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Bento's folder with its env/ part alone."""
    monkeypatch.chdir(tmp_path)
    Path("lock.txt").write_text(LOCK)
    folder = tmp_path / "bento"
    (folder / "src").mkdir(parents=True)
    locked_image("lock.txt").freeze(folder, [])
    return folder


def stages(bento: Path) -> list[str]:
    dockerfile = (bento / "env" / "docker" / "Dockerfile").read_text()
    return dockerfile.split("\nFROM ")[1:]


def test_the_hashes_of_the_lock_are_kept(bento: Path) -> None:
    requirements = (bento / "env" / "python" / "requirements.txt").read_text()
    assert requirements.count("--hash=sha256:") == LOCK.count("--hash=sha256:")
    assert "index-url" not in requirements


def test_the_installer_stays_in_the_first_stage(bento: Path) -> None:
    first, last = stages(bento)
    assert "uv --directory" in first
    assert last.startswith(f"{BASE_IMAGE}\n")
    assert " uv " not in last
    assert "COPY --from=base-container /app /app" in last


def test_no_compiler_and_no_git(bento: Path) -> None:
    assert not any("apt-get" in stage for stage in stages(bento))


def test_the_last_stage_is_healthy_and_unprivileged(bento: Path) -> None:
    lines = stages(bento)[-1].splitlines()
    assert sum(line.startswith("HEALTHCHECK ") for line in lines) == 1
    assert sum("os.environ['BENTOML_PORT'] + '/readyz'" in line for line in lines) == 1
    assert [line for line in lines if line.startswith("USER ")] == ["USER bentoml"]
    assert lines.index("WORKDIR /home/bentoml/bento") < lines.index(
        "COPY --chown=bentoml:bentoml . ./"
    )
