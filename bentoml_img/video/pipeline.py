"""A video in, an annotated video and its records out.

Decoding, detection, tracking with drawing, and encoding overlap, each in a
thread of its own, a few frames apart: memory does not grow with the length.
"""

import json
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from bentoml_img.detect import Detections, Query
from bentoml_img.result_names import PLOT
from bentoml_img.system import atomic
from bentoml_img.system.interrupts import uninterrupted
from bentoml_img.video import records
from bentoml_img.video.counting import EventCounter, Tally
from bentoml_img.video.frames import DamagedVideo, Frame
from bentoml_img.video.options import Options
from bentoml_img.video.parts import Checkpoint, Part, Parts, held
from bentoml_img.video.prefetch import prefetch
from bentoml_img.video.reading import Video, open_video
from bentoml_img.video.results import COMPLETE, Ending, FrameProgress, Result, VideoSummary
from bentoml_img.video.resuming import finished, key_of, surpasses
from bentoml_img.video.tracking import UNSURE, TrackedInstance, Tracker
from bentoml_img.video.writing import check_output, join

# About how many seconds of video a segment has; one look (`every`) or frame, if that is longer. A
# run that goes on does no more than this again. Each segment begins with a key frame.
SEGMENT = 4.0

Detect = Callable[[Sequence[Image.Image], Query], Sequence[Detections]]
Draw = Callable[[Image.Image, Sequence[TrackedInstance], Tally], Image.Image]


class Stopped(Exception):
    """The run was told to stop; a later one can go on from there."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C; `result` is what was done until then, None if that was nothing."""

    def __init__(self, result: Result | None) -> None:
        super().__init__()
        self.result = result


@dataclass(frozen=True)
class _Annotated:
    """A drawn frame; `tracker` is the tracker's state where a segment ends."""

    frame: Frame
    image: Image.Image
    instances: list[TrackedInstance]
    ended: tuple[int, ...]
    tracker: dict[str, Any] | None


def process_video(
    source: Path,
    output: Path,
    detect: Detect,
    draw: Draw,
    options: Options,
    *,
    identity: str,
    resume: bool = False,
    on_progress: Callable[[FrameProgress], None] = lambda progress: None,
    on_warning: Callable[[str], None] = lambda warning: None,
    stop: Callable[[], bool] = lambda: False,
) -> Result:
    """Detect, track and count in a video, and draw it into `output` (.mp4 or .gif).

    Tracks, events and a summary are written beside it. `detect` is asked for unsure
    instances, too: they go on with a track, but start none. `identity` says which detector
    that is, and in which precision. With `resume`, a run that did not end goes on where it
    was, at most SEGMENT before; a complete result of the same is left as it is.
    `on_warning` is told of each warning in the summary once, as soon as there is one.

    It ends in one of these ways:

    - a Result, with all frames; if the source is damaged, with those before the damage, of
      which its ending tells;
    - Interrupted, at Ctrl-C: the files hold what was done, unless an earlier run's are complete
      or have more frames, and stay. KeyboardInterrupt, and no summary, if all frames were done
      and were being joined;
    - an error of `detect` or `draw`, which is raised again, with the same files;
    - Stopped, after the frame at whose end `stop` says so: there are no files, but with
      `resume` it goes on;
    - VideoError: the source is no video, or `output` has another suffix. Nothing is written;
    - CannotResume: what an earlier run left is damaged, or was made of something else;
    - BlockingIOError: another run writes `output`.
    """
    check_output(output)
    with open_video(source, options.rate) as video:
        key = key_of(source, identity, options)
        if resume and (done := finished(output, key)):
            return done
        with held(output) as folder:
            parts = Parts(folder, output, video.info, key, resume)
            run = _Run(video, output, parts, options, on_warning)
            try:
                ending = run(detect, draw, on_progress, stop)
            except Stopped:
                run.abandon()
                raise
            except KeyboardInterrupt:
                raise Interrupted(run.break_off(Ending(interrupted=True))) from None
            except Exception as error:
                run.break_off(Ending(error=str(error) or type(error).__name__))
                raise
            result = run.finish(ending, False)
            assert result is not None  # a video that was opened has a frame
            return result


class _Run:
    """One pass through a video, from where its parts say."""

    def __init__(
        self,
        video: Video,
        output: Path,
        parts: Parts,
        options: Options,
        on_warning: Callable[[str], None],
    ) -> None:
        self._video, self._output, self._parts, self._options = video, output, parts, options
        self._on_warning = on_warning
        self._warnings: list[str] = []
        size, sure = (video.info.width, video.info.height), options.query.score_threshold
        self._query = replace(options.query, score_threshold=min(UNSURE, sure))
        reached = parts.reached
        self._tracker = Tracker(size, sure)
        # `_drawn` runs in the drawing thread, frames ahead; `_counter` counts only what is written.
        self._drawn, self._counter = (
            EventCounter(size, options.lines, options.zones, options.ground) for _ in range(2)
        )
        if reached.tracker is not None:
            self._tracker.restore(reached.tracker)
            self._drawn.restore(reached.counter)
            self._counter.restore(reached.counter)
        self._first, self._done = reached.frames, reached.frames
        self._part: Part | None = None
        self._began = 0.0  # when the first of its frames came, by the performance counter

    def __call__(
        self,
        detect: Detect,
        draw: Draw,
        on_progress: Callable[[FrameProgress], None],
        stop: Callable[[], bool],
    ) -> Ending:
        """Do the frames, to their end or to where the source is damaged."""
        self._warn(self._options.warnings(self._video.info))
        frames = prefetch(self._frames(stop))
        detected = prefetch(self._detected(frames, detect))
        try:
            with closing(prefetch(self._annotated(detected, draw))) as annotated:
                for item in annotated:
                    self._warn(self._video.warnings)
                    with uninterrupted():
                        self._write(item)
                    seconds = time.perf_counter() - self._began
                    speed = (self._done - self._first) / seconds
                    on_progress(FrameProgress(self._done, self._video.info.frames, speed))
                    if stop():
                        raise Stopped
        except DamagedVideo as error:
            return Ending(error=str(error))
        return COMPLETE

    def _warn(self, warnings: Sequence[str]) -> None:
        """Tell of the warnings that are new."""
        for warning in warnings:
            if warning not in self._warnings:
                self._warnings.append(warning)
                self._on_warning(warning)

    def _frames(self, stop: Callable[[], bool]) -> Generator[Frame]:
        """The frames that are not done yet; Stopped while those before them are passed over."""
        for frame in self._video:
            if frame.index == self._first:
                self._began = time.perf_counter()
            if frame.index >= self._first:
                yield frame
            elif stop():
                raise Stopped

    def _detected(
        self, frames: Generator[Frame], detect: Detect
    ) -> Generator[tuple[Frame, Detections | None]]:
        with closing(frames):
            for frame in frames:
                wanted = frame.index % self._options.every == 0
                yield frame, detect([frame.image], self._query)[0] if wanted else None

    def _annotated(
        self, detected: Generator[tuple[Frame, Detections | None]], draw: Draw
    ) -> Generator[_Annotated]:
        tracker = self._tracker
        began: float | None = None  # of a segment
        with closing(detected):
            for frame, found in detected:
                ended: tuple[int, ...] = ()
                if found is None:
                    instances = tracker.carry(frame.time)
                else:
                    instances = tracker.update(found, frame.time)
                    ended = tracker.ended
                began = frame.time if began is None else began
                state = None
                every = self._options.every
                next_end = frame.time + (1 + every) * frame.duration  # of a segment, at the soonest
                too_late = next_end - began > SEGMENT + frame.duration / 2
                if too_late and (frame.index + 1) % every == 0:
                    state, began = tracker.state(), None
                self._drawn.update(frame.index, frame.time, instances, ended)
                drawn = draw(frame.image, instances, self._drawn.tally)
                yield _Annotated(frame, drawn, instances, ended, state)

    def _write(self, item: _Annotated) -> None:
        frame = item.frame
        events = self._counter.update(frame.index, frame.time, item.instances, item.ended)
        self._part = self._part or self._parts.open()
        self._part.write(frame, item.image, item.instances, events)
        self._done = frame.index + 1
        if item.tracker is not None:
            part, self._part = self._part, None  # or an error in closing comes twice
            segment = part.close()
            assert segment is not None  # it has this frame
            self._parts.add(segment, Checkpoint(self._done, item.tracker, self._counter.state()))

    def break_off(self, ending: Ending) -> Result | None:
        """Join what is done; None, and an earlier run's files stay, if these have more."""
        if surpasses(self._output, self._done):
            self.abandon()
            return None
        return self.finish(ending, True)

    def abandon(self) -> None:
        """Keep the parts that are closed: a later run goes on after the last of them."""
        if self._part:
            self._part.close()

    def finish(self, ending: Ending, keep: bool) -> Result | None:
        """Join what is done; None, and nothing written, if that is not a frame.

        Interrupted if Ctrl-C comes while the records are written, once they are whole.
        """
        last = self._part.close() if self._part else None
        segments = [*self._parts.segments, *([last] if last else [])]
        if not segments:
            self._parts.remove()
            return None
        done = self._done if last else self._parts.reached.frames
        result = Result(self._output, done, ending)
        result.summary.unlink(missing_ok=True)  # an earlier run's, of other files
        with suppress(OSError):  # there is none, or what has its name is no file
            result.video.with_suffix(PLOT).unlink()
        info = self._video.info
        sound = info.path if info.audio else None
        if without_sound := join(segments, result.video, sound, info.plays):
            self._warn([without_sound])
        try:
            with uninterrupted():
                self._parts.collect(segments, ".jsonl", result.tracks)
                endings = records.events_csv(self._counter.finish())
                self._parts.collect(segments, ".csv", result.events, records.HEADER, endings)
                self._summarize(result, float(segments[-1].end))
                if not keep:
                    self._parts.remove()
        except KeyboardInterrupt:
            raise Interrupted(replace(result, ending=Ending(interrupted=True))) from None
        return result

    def _summarize(self, result: Result, seconds: float) -> None:
        info, options = self._video.info, self._options
        summary = VideoSummary(
            schema=records.SCHEMA,
            source=info.path.name,
            model=self._parts.key["detector"],
            width=info.width,
            height=info.height,
            frames=result.frames,
            seconds=round(seconds, 3),
            stopped=result.ending.reason,
            warnings=self._warnings,
            made_of=self._parts.key,
            **records.totals(records.read_events(result.events), options.lines, options.zones),
        )
        atomic.write(result.summary, (json.dumps(asdict(summary), indent=2) + "\n").encode())
