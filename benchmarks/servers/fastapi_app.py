"""The classifier under plain FastAPI, as one usually writes it."""

import os
from pathlib import Path

import click
import uvicorn
from fastapi import FastAPI, Request, UploadFile

from benchmarks.servers import BUNDLE
from benchmarks.servers.decoding import decode
from benchmarks.servers.options import server_options
from bentoml_img.classify import Classifier

THREADS = "BENCHMARK_THREADS"


def create() -> FastAPI:
    """The application; each of its worker processes loads the bundle."""
    classifier = Classifier.from_bundle(Path(os.environ[BUNDLE]), threads=int(os.environ[THREADS]))
    app = FastAPI()

    def label(photo: bytes) -> str:
        return classifier([decode(photo, classifier.decode_at_least)])[0].label

    @app.post("/predict")
    async def predict(image: UploadFile) -> str:
        return label(await image.read())

    @app.post("/raw")
    async def predict_raw(request: Request) -> str:
        return label(await request.body())

    return app


def command(factory: str) -> click.Command:
    """The command that runs the application that `factory` (module:function) makes."""

    @click.command()
    @server_options
    def serve(bundle: Path, port: int, workers: int, threads: int) -> None:
        os.environ |= {BUNDLE: str(bundle), THREADS: str(threads)}
        uvicorn.run(
            factory,
            factory=True,
            host="127.0.0.1",
            port=port,
            workers=workers,
            timeout_worker_healthcheck=60,
            log_level="warning",
            access_log=False,
        )

    return serve


if __name__ == "__main__":
    command("benchmarks.servers.fastapi_app:create")()
