"""Pictures of the frames that FFmpeg decodes: their colours, and which side is up."""

from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.reformatter import Colorspace
from PIL import Image

from bentoml_img.video.hdr import CURVES, plain

HD_HEIGHT = 720  # from here on players take untagged colours for BT.709, below for BT.601
UNTAGGED = 2  # AVCOL_SPC_UNSPECIFIED


def matrix_for(height: int) -> Colorspace:
    """The matrix by which players make RGB of untagged frames of that height in pixels."""
    return Colorspace.ITU709 if height >= HD_HEIGHT else Colorspace.ITU601


def picture_of(frame: av.VideoFrame, aspect: Fraction) -> Image.Image:
    """RGB, with square pixels, turned and mirrored as the file's display matrix says.

    What has a high dynamic range is brought to that of a screen. `aspect` is a
    pixel's width over its height. av.error.FFmpegError for colours that FFmpeg's
    scaler does not know.
    """
    curve = CURVES.get(frame.color_trc)
    pixels = frame.reformat(
        width=max(1, round(frame.width * aspect)),
        height=frame.height,
        format="rgb48le" if curve else "rgb24",
        src_colorspace=matrix_for(frame.height) if frame.colorspace == UNTAGGED else None,
    ).to_ndarray()
    image = Image.fromarray(plain(pixels, curve) if curve else pixels)
    if _is_mirrored(frame):
        image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    return image.rotate(frame.rotation, expand=True) if frame.rotation else image


def _is_mirrored(frame: av.VideoFrame) -> bool:
    """Whether the display matrix does more than turn: before its `rotation`, upside down."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False
    (a, b, _), (c, d, _), _ = np.frombuffer(matrix, np.int32).reshape(3, 3).tolist()
    return bool(a * d < b * c)
