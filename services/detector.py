"""PytorchInstanceDetector: each thing in a photo or a video, with its box and mask."""

from collections.abc import Callable, Collection, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import bentoml
from bentoml._internal.configuration.containers import BentoMLContainer
from PIL import Image

from bentoml_img.detect import (
    MAX_INSTANCES,
    SCORE_THRESHOLD,
    DetectedInstances,
    Detections,
    Detector,
    Query,
)
from bentoml_img.drawing.instances import annotate
from bentoml_img.images import encode_jpeg, load_rgb
from services.edge import guard
from services.errors import RequestRefused
from services.jobs import Job, JobStore
from services.parameters import Count, Names, Score, VideoRequest, query_of
from services.runner import Runner
from services.serving import BentoArguments, Jpeg, load, options
from services.settings import Settings
from services.stages import Stages
from services.tasks import Tasks
from services.videos import check_video, work

Result = TypeVar("Result")


class Arguments(BentoArguments):
    bundle: str = "maskrcnn_lite:latest"
    requirements: str = "services/requirements/detector-openvino.txt"


arguments = bentoml.use_arguments(Arguments)
settings = Settings.from_environment()


def jobs_folder() -> Path:
    """Beside BentoML's own table of tasks, which BENTOML_RESULT_STORE may put elsewhere."""
    return Path(BentoMLContainer.result_store_file.get()).with_name("video_jobs")


@bentoml.service(
    name="PytorchInstanceDetector",
    **options(settings, arguments.requirements, timeout=300),  # a video takes its time to be sent
)
class PytorchInstanceDetector:
    """Finds each person, vehicle and animal in photos and videos, and draws around it."""

    bundle = bentoml.models.BentoModel(arguments.bundle)

    def __init__(self) -> None:
        self.detector = load(Detector, self.bundle, arguments, settings)
        self.stages = Stages(settings)
        model = self.detector.identity
        store = JobStore(jobs_folder(), settings.max_jobs, settings.keep_jobs, model)
        self.runner = Runner(store, self.annotate_video)

    @bentoml.on_startup
    def open(self) -> None:
        self.runner.open()

    @bentoml.on_shutdown
    def close(self) -> None:
        self.runner.close()

    @bentoml.api
    async def predict(
        self,
        image: Image.Image,
        score_threshold: Score = SCORE_THRESHOLD,
        classes: Names = None,
        max_instances: Count = MAX_INSTANCES,
    ) -> Jpeg:
        """The photo with its instances drawn: a JPEG."""
        return await self._answer(
            image,
            query_of(score_threshold, classes, max_instances),
            lambda photo, found: encode_jpeg(annotate(photo, found)),
        )

    @bentoml.api
    async def detect(
        self,
        image: Image.Image,
        score_threshold: Score = SCORE_THRESHOLD,
        classes: Names = None,
        max_instances: Count = MAX_INSTANCES,
    ) -> DetectedInstances:
        """The instances in the photo: class, score, box and mask of each."""
        return await self._answer(
            image,
            query_of(score_threshold, classes, max_instances),
            lambda photo, found: found.summary(),
        )

    @bentoml.task(input_spec=VideoRequest)
    def annotate_video(self, job: Job, stop: Callable[[], bool]) -> Path:
        """The video with its instances drawn, each with a number that it keeps: a GIF or an MP4.

        A line is "x1,y1,x2,y2" in pixels, a zone "x,y,x,y,x,y", each with "NAME=" before it
        if you like; several are a list. `scale` (pixels a metre) or `homography` give speeds. Over
        HTTP this is a task: submit it, ask for its status, get it; /get?part=summary has
        the counts, part=events each that was counted, part=tracks all that was seen.
        `bentoml run` gives the video alone: with its counts, bentoml_img_detect.py does.
        """
        return work(job, stop, self._detect_frames, self.detector.identity, settings.max_frames)

    def check(self, video: Path, parameters: dict[str, Any]) -> None:
        """Refuse what the work on a video would fail for, as far as it can be seen."""
        self._check_classes(parameters["classes"])
        check_video(video, settings.max_frames)

    def _check_classes(self, classes: Collection[str] | None) -> None:
        try:
            self.detector.check_classes(classes)
        except ValueError as error:
            raise RequestRefused(HTTPStatus.BAD_REQUEST, f"classes: {error}", "classes") from None

    def _detect_frames(self, frames: Sequence[Image.Image], query: Query) -> list[Detections]:
        """A frame of a video takes turns with photos: the network is not for two at once."""
        return self.stages.network_from_a_thread(self.detector, frames, query)

    async def _answer(
        self,
        image: Image.Image,
        query: Query,
        finish: Callable[[Image.Image, Detections], Result],
    ) -> Result:
        self._check_classes(query.classes)
        async with self.stages.place(image):
            photo = await self.stages.decoded(load_rgb, image)
            (found,) = await self.stages.network(self.detector, [photo], query)
            return await self.stages.picture(finish, photo, found)


guard(PytorchInstanceDetector, Tasks)
