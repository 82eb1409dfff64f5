"""The segmenter under LitServe in eager PyTorch."""

from pathlib import Path
from typing import Any

import litserve
from fastapi import Request, Response

from benchmarks.eager import eager_segmenter
from benchmarks.servers.litserve_app import photo, serve
from benchmarks.stages import common


class MaskAPI(litserve.LitAPI):  # type: ignore[misc]
    """Takes a form with the file `image`, answers with a PNG."""

    def __init__(self, bundle: Path, threads: int, **options: Any) -> None:
        super().__init__(**options)
        self._bundle = bundle
        self._threads = threads

    def setup(self, device: str) -> None:
        self.segmenter = eager_segmenter(self._bundle, self._threads)

    def decode_request(self, request: Request) -> bytes:
        return photo(request)

    def predict(self, x: Any) -> Any:
        return common(x, self.segmenter)[0]

    def encode_response(self, output: bytes) -> Response:
        return Response(output, media_type="image/png")


if __name__ == "__main__":
    serve(MaskAPI)
