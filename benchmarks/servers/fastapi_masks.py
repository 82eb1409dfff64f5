"""The segmenter under plain FastAPI in eager PyTorch, as one usually writes it."""

import os
from pathlib import Path

from fastapi import FastAPI, Response, UploadFile

from benchmarks.eager import eager_segmenter
from benchmarks.servers import BUNDLE
from benchmarks.servers.fastapi_app import THREADS, command
from benchmarks.stages import common


def create() -> FastAPI:
    """The application; each of its worker processes loads the bundle."""
    segmenter = eager_segmenter(Path(os.environ[BUNDLE]), int(os.environ[THREADS]))
    app = FastAPI()

    @app.post("/predict")
    def predict(image: UploadFile) -> Response:
        png, _ = common(image.file.read(), segmenter)
        return Response(png, media_type="image/png")

    return app


if __name__ == "__main__":
    command("benchmarks.servers.fastapi_masks:create")()
