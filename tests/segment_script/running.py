"""What the tests of this script have in common."""

from pathlib import Path

import av
import numpy as np

from bentoml_img.paths import ROOT

STREET = ROOT / "images" / "street.jpg"
LRASPP = "lraspp_mobilenet_v3_large"


def write_video(path: Path, frames: int) -> None:
    """A square on its way to the right."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for k in range(frames):
            picture = np.zeros((64, 96, 3), np.uint8)
            picture[20:40, 4 * k : 4 * k + 20] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
