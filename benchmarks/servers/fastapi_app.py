"""The classifier under plain FastAPI, as one usually writes it."""

import argparse
import os
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, UploadFile

from benchmarks.servers.decoding import decode
from bentoml_img.classify import Classifier

BUNDLE = "BENCHMARK_BUNDLE"
THREADS = "BENCHMARK_THREADS"


def create() -> FastAPI:
    """The application; each of its worker processes loads the bundle."""
    classifier = Classifier.from_bundle(Path(os.environ[BUNDLE]), threads=int(os.environ[THREADS]))
    app = FastAPI()

    def label(photo: bytes) -> str:
        return classifier([decode(photo)])[0].label

    @app.post("/predict")
    async def predict(image: UploadFile) -> str:
        return label(await image.read())

    @app.post("/raw")
    async def predict_raw(request: Request) -> str:
        return label(await request.body())

    return app


def serve(factory: str) -> None:
    """Run the application that `factory` (module:function) makes, as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="of the network, per worker")
    options = parser.parse_args()
    os.environ |= {BUNDLE: options.bundle, THREADS: str(options.threads)}
    uvicorn.run(
        factory,
        factory=True,
        host="127.0.0.1",
        port=options.port,
        workers=options.workers,
        timeout_worker_healthcheck=60,
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    serve("benchmarks.servers.fastapi_app:create")
