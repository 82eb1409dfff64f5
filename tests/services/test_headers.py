import asyncio

import bentoml

from services.edge import guard
from services.serving import PublicService
from tests.services.asgi import run, started


# BentoML's metrics can be registered only once a process.
@bentoml.service(metrics={"enabled": False}, traffic={"timeout": 1}, service_class=PublicService)
class Slow:
    @bentoml.api
    async def say(self, text: str) -> str:
        return text

    @bentoml.api
    async def wait(self) -> None:
        await asyncio.Event().wait()


guard(Slow)


def test_browsers_take_each_answer_for_what_it_says_it_is() -> None:
    requests = {
        ("GET", "/"): 200,
        ("GET", "/static_content/swagger-ui.css"): 200,
        ("GET", "/docs.json"): 200,
        ("GET", "/readyz"): 200,
        ("POST", "/say"): 200,
        ("GET", "/say"): 405,
        ("GET", "/nothing"): 404,
        ("POST", "/wait"): 504,
    }

    async def main() -> None:
        async with started(Slow) as client:
            for (method, path), status in requests.items():
                answer = await client.request(method, path, json={"text": "a"})
                assert answer.status_code == status
                assert answer.headers.get_list("x-content-type-options") == ["nosniff"]

    run(main())
