from pathlib import Path

import pytest

from scripts.buildah import BuildError, Storage


def test_the_packages_of_missing_tools_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda tool: None if tool == "ip" else tool)
    with pytest.raises(BuildError, match=r"apt-get install iproute2$"):
        Storage(tmp_path)
