"""The names of results: what they have in place of their source's suffix."""

from pathlib import Path

from bentoml_img.file_kinds import Kind

MASK, ANNOTATED = "_seg", "_result"
OVERLAY, COMPARISON = "_overlay.jpg", "_compare.jpg"
# In place of the suffix of a video's result. Plots have their own, so that one in a folder of
# frames is not read as a frame.
PLOT = ".counts.png"
MOVING: dict[Kind, str] = {"video": ".mp4", "animation": ".gif"}
RESULTS = (
    MASK + ".png",
    OVERLAY,
    COMPARISON,
    ANNOTATED + ".jpg",
    *(name + suffix for name in (MASK, ANNOTATED) for suffix in MOVING.values()),
    PLOT,
)


def is_video(target: Path) -> bool:
    """Whether a result is a video or an animation, by its suffix."""
    return target.suffix.lower() in MOVING.values()
