"""The steps of one `bentoml run`, and when each of them is done.

    python -m benchmarks.steps TAG PHOTO

Prints the wall-clock times, in seconds since the epoch, as JSON: as few modules as
can be are imported before the first.
"""

import asyncio
import json
import sys
import time
from pathlib import Path


def take_steps(tag: str, photo: Path) -> list[float]:
    """The time after each of `benchmarks.startup.STEPS`."""
    stamps = [time.time()]
    body = photo.read_bytes()
    import bentoml_cli.cli  # noqa: F401

    stamps.append(time.time())
    from bentoml_run.bento import find, load_app, redirect_log

    redirect_log()
    bento = find(tag)
    _, app = load_app(bento)
    stamps.append(time.time())
    if bento.info.labels["engine"] == "openvino":
        import openvino  # noqa: F401
    else:
        import torch  # noqa: F401
    stamps.append(time.time())

    async def call() -> None:
        import httpx

        from bentoml_run.asgi import started

        async with started(app) as application:
            stamps.append(time.time())
            for _ in range(2):
                request = httpx.Request("POST", "http://localhost/predict", content=body)
                answer = await application.send(request)
                if not answer.ok:
                    raise RuntimeError(answer.body.decode())
                stamps.append(time.time())

    asyncio.run(call())
    return stamps


if __name__ == "__main__":
    print(json.dumps(take_steps(sys.argv[1], Path(sys.argv[2]))))
