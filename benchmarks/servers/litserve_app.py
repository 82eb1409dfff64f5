"""The classifier under LitServe."""

import base64
from pathlib import Path
from typing import Any

import click
import litserve
from fastapi import Request
from PIL import Image

from benchmarks.options import COUNT
from benchmarks.servers.decoding import decode
from benchmarks.servers.options import server_options
from bentoml_img.classify import Classifier
from bentoml_img.cli.options import together


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
        return decode(photo(request), self.classifier.decode_at_least)

    def predict(self, x: Any) -> Any:
        if isinstance(x, list):
            return [answer.label for answer in self.classifier(x)]
        return self.classifier([x])[0].label

    def encode_response(self, output: str) -> str:
        return output


class AsyncClassifierAPI(ClassifierAPI):
    """ClassifierAPI on LitServe's asynchronous loop."""

    async def decode_request(self, request: Request) -> Image.Image:  # type: ignore[override]
        return decode(photo(request), self.classifier.decode_at_least)

    async def predict(self, x: Any) -> str:
        return self.classifier([x])[0].label

    async def encode_response(self, output: str) -> str:  # type: ignore[override]
        return output


def photo(request: Any) -> bytes:
    """The photo in a form or in JSON, which LitServe hands over parsed."""
    image = request["image"]
    data: bytes = base64.b64decode(image) if isinstance(image, str) else image.file.read()
    return data


litserve_options = together(
    server_options,
    click.option("--batch", type=COUNT, default=1, show_default=True),
    click.option("--batch-timeout", type=click.FloatRange(min=0), default=0.0, show_default=True),
    click.option("--api-servers", type=COUNT, default=1, show_default=True),
    click.option("--api-server-type", type=click.Choice(["process", "thread"]), default="process"),
    click.option("--fast-queue", is_flag=True),
)


def serve(
    kind: type[BundleAPI],
    bundle: Path,
    port: int,
    workers: int,
    threads: int,
    batch: int,
    batch_timeout: float,
    api_servers: int,
    api_server_type: str,
    fast_queue: bool,
    asynchronous: bool = False,
) -> None:
    """Run an API, with what `litserve_options` say."""
    api = kind(
        bundle,
        threads,
        max_batch_size=batch,
        batch_timeout=batch_timeout,
        enable_async=asynchronous,
    )
    server = litserve.LitServer(
        api, accelerator="cpu", workers_per_device=workers, fast_queue=fast_queue
    )
    server.run(
        host="127.0.0.1",
        port=port,
        num_api_servers=api_servers,
        api_server_worker_type=api_server_type,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )


@click.command()
@litserve_options
@click.option("--asynchronous", is_flag=True)
def main(asynchronous: bool, **options: Any) -> None:
    """Serve the classifier."""
    kind = AsyncClassifierAPI if asynchronous else ClassifierAPI
    serve(kind, asynchronous=asynchronous, **options)


if __name__ == "__main__":
    main()
