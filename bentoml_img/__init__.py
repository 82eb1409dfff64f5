"""Vision models, from training to a Bento."""

import sys

# Where this package is missing, importing OpenVINO reports nothing to its makers.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
