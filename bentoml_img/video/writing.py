"""Frames, or segments of them, to what is asked for: an MP4 or a GIF, by the name's suffix."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bentoml_img.file_errors import reason
from bentoml_img.result_names import is_video
from bentoml_img.system.atomic import replacing, scratch_beside
from bentoml_img.video.frames import VideoError
from bentoml_img.video.gif import write_gif
from bentoml_img.video.mp4 import write_mp4
from bentoml_img.video.segments import Segment, SegmentWriter


def check_output(path: Path) -> None:
    """VideoError unless the name ends in .mp4 or .gif."""
    if not is_video(path):
        raise VideoError(f"cannot write {path.name}: the result is a .mp4 or a .gif")


def join(
    segments: Sequence[Segment], output: Path, sound: Path | None = None, plays: int = 0
) -> str | None:
    """Join segments into `output`, an MP4 or a GIF. A warning, if it lacks its sound.

    `sound` is a video whose audio an MP4 gets, up to the end of the pictures:
    copied if an MP4 can hold it, else as AAC. A GIF is played `plays` times, 0 for
    without end.
    """
    check_output(output)
    with replacing(output) as part:
        if output.suffix.lower() == ".gif":
            write_gif(segments, part, plays)
            return None
        try:
            write_mp4(segments, part, sound)
        except Exception as error:  # of the sound or not: that must not cost the pictures
            if sound is None:
                raise
            write_mp4(segments, part, None)
            return f"the sound is left out ({reason(error) or type(error).__name__})"
    return None


@contextmanager
def writing_video(
    output: Path,
    size: tuple[int, int],
    rate: float,
    sound: Path | None = None,
    plays: int = 0,
    on_warning: Callable[[str], None] = lambda warning: None,
) -> Iterator[SegmentWriter]:
    """Write frames of `size` (width, height), about `rate` a second, into `output`.

    The result is there after the block; after an error in it, too, with all frames until
    then, unless there is an earlier one, which stays. It is not touched if there was no
    frame. `sound` and `plays` are as `join` has them, and `on_warning` is told if the
    sound is left out.
    """
    with scratch_beside(output) as scratch:
        writer = SegmentWriter(scratch, output, size, rate)
        broke_off = True
        try:
            yield writer
            broke_off = False
        finally:
            segment = writer.close()
            stays = broke_off and output.exists()
            if segment and not stays and (warning := join([segment], output, sound, plays)):
                on_warning(warning)
