"""Nothing is reported to anybody, as docs/server.md says."""

import subprocess
import sys
from pathlib import Path

from bentoml_img.paths import ROOT
from services.container import DROP_UNUSED, SERVING_STAGE


def test_openvinos_own_is_not_loaded() -> None:
    program = """
import sys
import bentoml_img.engines.openvino
loaded = {name for name, module in sys.modules.items() if module}
assert "openvino" in loaded
assert not [name for name in loaded if name.startswith("openvino_telemetry")]
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_images_lack_openvinos_own_and_have_bentomls_off(tmp_path: Path) -> None:
    for name in ("openvino_telemetry/main.py", "openvino/runtime.py"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    drop = DROP_UNUSED.replace("/app/.venv", str(tmp_path))
    subprocess.run(drop, shell=True, check=True)
    assert [path.name for path in tmp_path.rglob("*.py")] == ["runtime.py"]
    assert "BENTOML_DO_NOT_TRACK=true" in SERVING_STAGE


def test_make_has_bentomls_off() -> None:
    assert "\nexport BENTOML_DO_NOT_TRACK := true\n" in (ROOT / "Makefile").read_text()
