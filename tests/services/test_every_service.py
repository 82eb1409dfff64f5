"""What holds for every service, as a server process and on the command line."""

import asyncio
import json
import os
import re
from pathlib import Path

import bentoml
import httpx
import pytest

from bentoml_img.paths import ROOT
from scripts.samples import FOLDER, scenes
from services.paths import UNKNOWN
from tests.samples import jpeg
from tests.services.live import JSON, Answers, Server, Service, answers

PHOTOS = [FOLDER / name for name in scenes()]


@pytest.fixture(scope="session")
def served(service: Service, running_server: Server) -> Answers:
    return answers(service, running_server, PHOTOS[: service.photos])


def test_a_raw_body_gives_the_same_bytes(service: Service, server: Server, served: Answers) -> None:
    with httpx.Client(base_url=server.url, timeout=240) as client:
        for api, media_type in service.media_types.items():
            for photo, body in served[api].items():
                headers = {"Content-Type": "image/jpeg"}
                answer = client.post(f"/{api}", content=photo.read_bytes(), headers=headers)
                assert (answer.status_code, answer.content) == (200, body)
                assert answer.headers["content-type"] == media_type


def test_the_client_of_bentoml_gives_the_same_answer(
    service: Service, server: Server, served: Answers
) -> None:
    with bentoml.SyncHTTPClient(server.url, timeout=240) as client:
        for api, media_type in service.media_types.items():
            for photo, body in list(served[api].items())[:5]:
                answer = client.call(api, image=photo)
                assert answer == (json.loads(body) if media_type == JSON else body)
        client._temp_dir.cleanup()  # which it would leave to the garbage collector


def test_bentoml_run_gives_the_same_bytes(
    service: Service, served: Answers, tmp_path: Path
) -> None:
    for api, media_type in service.media_types.items():
        photos = PHOTOS[: service.photos]
        run = service.run(api, "--output-dir", tmp_path, "--input-file", *photos)
        assert run.returncode == 0, run.stderr.decode()
        lines = run.stdout.splitlines()
        answers = (
            lines if media_type == JSON else [Path(os.fsdecode(it)).read_bytes() for it in lines]
        )
        assert answers == list(served[api].values())


def test_clients_at_once_with_one_corrupt_file(
    service: Service, server: Server, served: Answers
) -> None:
    """Photos of many sizes; the corrupt one fails alone."""
    clients, bad = service.clients, service.clients // 2
    chosen = [PHOTOS[i % service.photos] for i in range(clients)]
    bodies = [photo.read_bytes() for photo in chosen]
    bodies[bad] = bodies[bad][: len(bodies[bad]) // 2]

    async def main() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=clients)
        async with httpx.AsyncClient(base_url=server.url, limits=limits, timeout=240) as client:
            posts = [client.post("/predict", files={"image": body}) for body in bodies]
            return await asyncio.gather(*posts)

    answers = asyncio.run(main())
    corrupt = answers.pop(bad)
    del chosen[bad]
    assert (corrupt.status_code, corrupt.json()["field"]) == (400, "image")
    assert [answer.status_code for answer in answers] == [200] * (clients - 1)
    assert [answer.content for answer in answers] == [served["predict"][p] for p in chosen]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_health(path: str, server: Server) -> None:
    assert httpx.get(server.url + path).status_code == 200


def test_metrics_count_requests(server: Server) -> None:
    httpx.post(f"{server.url}/predict", content=jpeg(), timeout=240).raise_for_status()
    metrics = httpx.get(f"{server.url}/metrics", timeout=240).raise_for_status().text
    assert 'endpoint="/predict"' in metrics
    assert 'http_response_code="200"' in metrics


def test_paths_that_are_none_have_no_metrics(server: Server) -> None:
    assert httpx.get(f"{server.url}/no_such_path", timeout=240).status_code == 404
    metrics = httpx.get(f"{server.url}/metrics", timeout=240).raise_for_status().text
    assert f'endpoint="{UNKNOWN}"' in metrics
    assert "no_such_path" not in metrics


def test_the_metric_that_deploy_scales_by_is_there(server: Server) -> None:
    rule = (ROOT / "deploy" / "prometheus-adapter.yaml").read_text()
    (series,) = re.findall(r"seriesQuery: '(\w+)\{", rule)
    metrics = httpx.get(f"{server.url}/metrics", timeout=240).raise_for_status().text
    assert re.search(rf'^{series}\{{endpoint="/readyz",.*\}} 0\.0$', metrics, re.MULTILINE)


def test_the_description_has_every_api(service: Service, server: Server) -> None:
    spec = httpx.get(f"{server.url}/docs.json", timeout=240).raise_for_status().json()
    assert spec["info"]["title"] == service.name
    assert {f"/{api}" for api in service.media_types} <= set(spec["paths"])


def test_the_description_has_what_is_answered_to_nothing(server: Server) -> None:
    spec = httpx.get(f"{server.url}/docs.json", timeout=240).raise_for_status().json()
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            answer = httpx.request(method, server.url + path, timeout=240)
            assert str(answer.status_code) in operation["responses"]


def test_the_page_loads_nothing_from_elsewhere(server: Server) -> None:
    page = httpx.get(server.url, timeout=240).raise_for_status()
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "//" not in page.text
    for path in (
        "page.css",
        "page.js",
        "static_content/swagger-ui.css",
        "static_content/swagger-ui-bundle.js",
    ):
        assert path in page.text
        assert httpx.get(f"{server.url}/{path}", timeout=240).status_code == 200


@pytest.mark.parametrize("asked", ["items=0-1", "bytes=abc"])
def test_a_range_that_is_none_is_passed_over(asked: str, server: Server) -> None:
    answer = httpx.get(f"{server.url}/page.js", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, httpx.get(f"{server.url}/page.js").content)


def test_get_on_an_api_and_unknown_paths_are_json_errors(server: Server) -> None:
    wrong = httpx.get(f"{server.url}/predict")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert wrong.json() == {"error": "/predict takes POST"}
    unknown = httpx.get(f"{server.url}/nothing")
    assert (unknown.status_code, unknown.json()) == (404, {"error": "not found"})
