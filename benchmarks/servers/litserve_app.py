"""The classifier under LitServe."""

import argparse
import base64
from pathlib import Path
from typing import Any

import litserve
from fastapi import Request
from PIL import Image

from benchmarks.servers.decoding import decode
from bentoml_img.classify import Classifier


class BundleAPI(litserve.LitAPI):  # type: ignore[misc]
    """What a worker makes of a bundle in its `setup`, with so many threads for the network."""

    def __init__(self, bundle: Path, threads: int, **options: Any) -> None:
        super().__init__(**options)
        self.bundle = bundle
        self.threads = threads


class ClassifierAPI(BundleAPI):
    """Takes a form with the file `image`, or JSON with the photo in base64."""

    def setup(self, device: str) -> None:
        self.classifier = Classifier.from_bundle(self.bundle, threads=self.threads)

    def decode_request(self, request: Request) -> Image.Image:
        return decode(photo(request))

    def predict(self, x: Any) -> Any:
        if isinstance(x, list):
            return [answer.label for answer in self.classifier(x)]
        return self.classifier([x])[0].label

    def encode_response(self, output: str) -> str:
        return output


class AsyncClassifierAPI(ClassifierAPI):
    """ClassifierAPI on LitServe's asynchronous loop."""

    async def decode_request(self, request: Request) -> Image.Image:  # type: ignore[override]
        return decode(photo(request))

    async def predict(self, x: Any) -> str:
        return self.classifier([x])[0].label

    async def encode_response(self, output: str) -> str:  # type: ignore[override]
        return output


def photo(request: Any) -> bytes:
    """The photo in a form or in JSON, which LitServe hands over parsed."""
    image = request["image"]
    data: bytes = base64.b64decode(image) if isinstance(image, str) else image.file.read()
    return data


def serve(kind: type[litserve.LitAPI], asynchronous: type[litserve.LitAPI] | None = None) -> None:
    """Run an API, made of bundle, threads and LitServe's own options, as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    if asynchronous:
        parser.add_argument("--asynchronous", dest="kind", action="store_const", const=asynchronous)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--batch-timeout", type=float, default=0.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--api-servers", type=int, default=1)
    parser.add_argument("--api-server-type", choices=("process", "thread"), default="process")
    parser.add_argument("--fast-queue", action="store_true")
    parser.add_argument("--threads", type=int, default=1, help="of the network, per worker")
    parser.set_defaults(kind=kind)
    options = parser.parse_args()
    api = options.kind(
        options.bundle,
        options.threads,
        max_batch_size=options.batch,
        batch_timeout=options.batch_timeout,
        enable_async=options.kind is asynchronous,
    )
    server = litserve.LitServer(
        api,
        accelerator="cpu",
        workers_per_device=options.workers,
        fast_queue=options.fast_queue,
    )
    server.run(
        host="127.0.0.1",
        port=options.port,
        num_api_servers=options.api_servers,
        api_server_worker_type=options.api_server_type,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )


if __name__ == "__main__":
    serve(ClassifierAPI, AsyncClassifierAPI)
