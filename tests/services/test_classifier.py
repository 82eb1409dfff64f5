"""The classifier as a server process and on the command line: the same answers every way."""

import asyncio
import itertools
import json
from pathlib import Path

import bentoml
import httpx
import pytest

from bentoml_img.classify import Classifier
from bentoml_img.images import load_rgb, open_image
from bentoml_img.labels import CIFAR10
from tests.samples import jpeg
from tests.services.live import APIS, Server, bentoml_run

# Photos of which the shipped network is sure, rightly.
CLEAR = {
    "automobile_sports.jpg": "automobile",
    "bird_duck.jpg": "bird",
    "bird_heron.jpg": "bird",
    "cat_chelsea.jpg": "cat",
    "cat_kitten.jpg": "cat",
    "deer_moose.jpg": "deer",
    "dog.jpg": "dog",
    "dog_lying.jpg": "dog",
    "dog_retriever.jpg": "dog",
    "frog_golden_toad.jpg": "frog",
    "horse.jpg": "horse",
    "horse_herd.jpg": "horse",
}


@pytest.fixture(scope="session")
def served(running_server: Server, photos: dict[Path, str]) -> dict[str, dict[Path, bytes]]:
    """Every photo's answer from every API by HTTP, sent as a form: API → photo → bytes."""
    answers: dict[str, dict[Path, bytes]] = {api: {} for api in APIS}
    with httpx.Client(base_url=running_server.url, timeout=240) as client:
        for api, photo in itertools.product(APIS, photos):
            answer = client.post(f"/{api}", files={"image": (photo.name, photo.read_bytes())})
            answers[api][photo] = answer.raise_for_status().content
    return answers


def test_clear_photos_are_recognised(served: dict[str, dict[Path, bytes]]) -> None:
    labels = {photo.name: json.loads(answer) for photo, answer in served["predict"].items()}
    assert {name: labels[name] for name in CLEAR} == CLEAR


def test_most_photos_are_recognised(
    served: dict[str, dict[Path, bytes]], photos: dict[Path, str]
) -> None:
    right = [json.loads(served["predict"][photo]) == label for photo, label in photos.items()]
    assert len(right) >= 30
    assert sum(right) > 0.7 * len(right)


def test_classify_gives_every_class_best_first(served: dict[str, dict[Path, bytes]]) -> None:
    for photo, body in served["classify"].items():
        answer = json.loads(body)
        assert list(answer) == ["label", "score", "scores"]
        assert json.dumps(answer["label"]).encode() == served["predict"][photo]
        assert set(answer["scores"]) == set(CIFAR10.names)
        scores = list(answer["scores"].values())
        assert scores == sorted(scores, reverse=True)
        assert (answer["label"], answer["score"]) == next(iter(answer["scores"].items()))
        assert sum(scores) == pytest.approx(1, abs=1e-4)


def test_the_library_gives_the_same_answer(
    served: dict[str, dict[Path, bytes]], bundle: Path
) -> None:
    classifier = Classifier.from_bundle(bundle)
    at_least = 2 * max(classifier.manifest.input_size)
    for photo, body in served["classify"].items():
        (answer,) = classifier([load_rgb(open_image(photo.read_bytes()), at_least)])
        assert answer.to_dict() == json.loads(body)


@pytest.mark.parametrize("api", APIS)
def test_a_raw_body_gives_the_same_bytes(
    api: str, server: Server, served: dict[str, dict[Path, bytes]]
) -> None:
    with httpx.Client(base_url=server.url, timeout=240) as client:
        for photo, body in served[api].items():
            headers = {"Content-Type": "image/jpeg"}
            answer = client.post(f"/{api}", content=photo.read_bytes(), headers=headers)
            assert (answer.status_code, answer.content) == (200, body)
            assert answer.headers["content-type"] == "application/json"


def test_the_client_of_bentoml_gives_the_same_answer(
    server: Server, served: dict[str, dict[Path, bytes]]
) -> None:
    with bentoml.SyncHTTPClient(server.url, timeout=240) as client:
        for photo, body in served["predict"].items():
            assert client.predict(image=photo) == json.loads(body)
        for photo, body in list(served["classify"].items())[:5]:
            assert client.classify(image=photo) == json.loads(body)
        client._temp_dir.cleanup()  # which it would leave to the garbage collector


@pytest.mark.parametrize("api", APIS)
def test_bentoml_run_gives_the_same_bytes(
    api: str, bento: object, served: dict[str, dict[Path, bytes]], tmp_path: Path
) -> None:
    run = bentoml_run(api, "--input-file", *served[api], cwd=tmp_path)
    assert run.returncode == 0, run.stderr.decode()
    assert run.stdout == b"".join(body + b"\n" for body in served[api].values())


def test_one_corrupt_file_among_64_at_once_fails_alone(
    server: Server, served: dict[str, dict[Path, bytes]], photos: dict[Path, str]
) -> None:
    chosen = [list(photos)[i % len(photos)] for i in range(64)]
    bodies = [photo.read_bytes() for photo in chosen]
    bodies[40] = bodies[40][: len(bodies[40]) // 2]

    async def main() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=64)
        async with httpx.AsyncClient(base_url=server.url, limits=limits, timeout=240) as client:
            posts = [client.post("/predict", files={"image": body}) for body in bodies]
            return await asyncio.gather(*posts)

    answers = asyncio.run(main())
    corrupt = answers.pop(40)
    del chosen[40]
    assert (corrupt.status_code, corrupt.json()["field"]) == (400, "image")
    assert [answer.status_code for answer in answers] == [200] * 63
    assert [answer.content for answer in answers] == [served["predict"][p] for p in chosen]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_health(path: str, server: Server) -> None:
    assert httpx.get(server.url + path).status_code == 200


def test_metrics_count_requests(server: Server) -> None:
    httpx.post(f"{server.url}/predict", content=jpeg(), timeout=240).raise_for_status()
    metrics = httpx.get(f"{server.url}/metrics", timeout=240).raise_for_status().text
    assert 'endpoint="/predict"' in metrics
    assert 'http_response_code="200"' in metrics


def test_the_description_has_both_apis(server: Server) -> None:
    spec = httpx.get(f"{server.url}/docs.json", timeout=240).raise_for_status().json()
    assert spec["info"]["title"] == "PytorchImageClassifier"
    assert {"/predict", "/classify"} <= set(spec["paths"])


def test_the_page_loads_nothing_from_elsewhere(server: Server) -> None:
    page = httpx.get(server.url, timeout=240).raise_for_status()
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "//" not in page.text
    for path in ("page.js", "static_content/swagger-ui.css", "static_content/swagger-ui-bundle.js"):
        assert path in page.text
        assert httpx.get(f"{server.url}/{path}", timeout=240).status_code == 200


def test_get_on_an_api_and_unknown_paths_are_json_errors(server: Server) -> None:
    wrong = httpx.get(f"{server.url}/predict")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert wrong.json() == {"error": "/predict takes POST"}
    unknown = httpx.get(f"{server.url}/nothing")
    assert (unknown.status_code, unknown.json()) == (404, {"error": "not found"})
