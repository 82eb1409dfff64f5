"""Where things are in this repository."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "artifacts"  # bundles
MADE = ROOT / "build" / "models"  # bundles of published weights
