"""The segmenter under LitServe in eager PyTorch."""

from typing import Any

import click
from fastapi import Request, Response

from benchmarks.eager import eager_segmenter
from benchmarks.servers.litserve_app import BundleAPI, litserve_options, photo, serve
from benchmarks.stages import common


class MaskAPI(BundleAPI):
    """Takes a form with the file `image`, answers with a PNG."""

    def setup(self, device: str) -> None:
        self.segmenter = eager_segmenter(self.bundle, self.threads)

    def decode_request(self, request: Request) -> bytes:
        return photo(request)

    def predict(self, x: Any) -> Any:
        return common(x, self.segmenter)[0]

    def encode_response(self, output: bytes) -> Response:
        return Response(output, media_type="image/png")


@click.command()
@litserve_options
def main(**options: Any) -> None:
    """Serve the segmenter."""
    serve(MaskAPI, **options)


if __name__ == "__main__":
    main()
