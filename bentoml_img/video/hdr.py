"""Pictures of a high dynamic range (BT.2100) as plain ones.

White becomes nearly the brightest that a screen has; what is brighter shares the little
that is left. Each channel is done by itself, which makes colours a little paler.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from bentoml_img.arrays import Float64Array, UInt8Array

WHITE = 203.0  # candelas a square metre of a white sheet, as BT.2408 has it
PEAK = 1000.0  # of the screen that HLG is for here
KNEE = 0.75  # of a screen's white: from here on what is brighter is pressed together
GAMMA = 2.4  # of a screen, BT.1886

Curve = Callable[[Float64Array], Float64Array]


def _pq(signal: Float64Array) -> Float64Array:
    """Candelas a square metre."""
    m1, m2, c1, c2, c3 = 1305 / 8192, 2523 / 32, 0.8359375, 18.8515625, 18.6875
    root = signal ** (1 / m2)
    return 10_000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)


def _hlg(signal: Float64Array) -> Float64Array:
    """Candelas a square metre."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return PEAK * scene**1.2


CURVES: dict[int, Curve] = {16: _pq, 18: _hlg}  # by AVColorTransferCharacteristic


@cache
def _table(curve: Curve) -> UInt8Array:
    """The 8 bits for each number of 16."""
    light = curve(np.linspace(0, 1, 1 << 16)) / WHITE
    pressed = KNEE + (1 - KNEE) * (1 - np.exp((KNEE - light) / (1 - KNEE)))
    shown = np.where(light < KNEE, light, pressed) ** (1 / GAMMA)
    return np.rint(255 * shown).astype(np.uint8)


def plain(pixels: npt.NDArray[Any], curve: Curve) -> UInt8Array:
    """RGB of shape (height, width, 3) in 8 bits, from 16 bits after one of CURVES."""
    bits: UInt8Array = _table(curve)[pixels]
    return bits
