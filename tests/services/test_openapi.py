from collections.abc import Collection
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from services.classifier import PytorchImageClassifier
from services.detector import PytorchInstanceDetector
from services.openapi import describe
from services.segmenter import PytorchImageSegment

SERVICES = (PytorchImageClassifier, PytorchImageSegment, PytorchInstanceDetector)


def named(document: Any, response: Any) -> Any:
    """The schema of a response in JSON, which only refers to it by its name."""
    reference = response["content"]["application/json"]["schema"]["$ref"]
    return document["components"]["schemas"][reference.removeprefix("#/components/schemas/")]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("key", ["", "secret"])
def test_it_is_valid(service: Any, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENTOML_IMG_API_KEY", key)
    OpenAPIV31SpecValidator(describe(service)).validate()


def test_what_needs_a_key_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENTOML_IMG_API_KEY", "secret")
    document = describe(PytorchImageClassifier)
    assert "secret" not in str(document)
    ways: list[Any] = [{name: []} for name in document["components"]["securitySchemes"]]
    paths = document["paths"]
    for path, keyed in (("/predict", True), ("/metrics", True), ("/readyz", False)):
        (operation,) = paths[path].values()
        assert operation.get("security") == (ways if keyed else None)
        assert ("401" in operation["responses"]) == keyed


def test_each_type_of_answers_is_there_once_by_its_name() -> None:
    document = describe(PytorchInstanceDetector)
    paths, refusals = document["paths"], document["components"]["responses"]
    answers = {
        "DetectedInstances": [paths["/detect"]["post"]["responses"]["200"]],
        "TaskStatus": [
            paths["/annotate_video/submit"]["post"]["responses"]["202"],
            paths["/annotate_video/status"]["get"]["responses"]["200"],
        ],
        "Refusal": refusals.values(),
    }
    for name, responses in answers.items():
        assert {named(document, response)["title"] for response in responses} == {name}


def test_a_form_has_the_file_and_the_parameters_with_their_bounds() -> None:
    detect = describe(PytorchInstanceDetector)["paths"]["/detect"]["post"]
    form = detect["requestBody"]["content"]["multipart/form-data"]
    fields = form["schema"]["properties"]
    assert fields["image"] == {"type": "string", "format": "binary"}
    assert not OAS31Validator(form["schema"]).is_valid({"image": "", "no_field": 1})
    assert (fields["score_threshold"]["minimum"], fields["score_threshold"]["maximum"]) == (0, 1)


@pytest.mark.parametrize("path", ["/detect", "/annotate_video/submit"])
def test_what_may_be_in_the_form_beside_the_file_may_be_in_the_query(path: str) -> None:
    post = describe(PytorchInstanceDetector)["paths"][path]["post"]
    form = post["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    (file,) = (name for name, schema in form.items() if schema.get("format") == "binary")
    given = {parameter["name"]: parameter for parameter in post["parameters"]}
    assert form.keys() - given.keys() == {file}
    assert given["max_instances"]["schema"]["maximum"] == form["max_instances"]["maximum"]
    assert "default" not in given["max_instances"]["schema"]
    in_json = given["classes"]["content"]["application/json"]["schema"]
    assert in_json["anyOf"] == form["classes"]["anyOf"]


def test_a_result_may_be_had_in_parts() -> None:
    document = describe(PytorchInstanceDetector)
    responses = document["paths"]["/annotate_video/get"]["get"]["responses"]
    whole, ranges = responses["200"]["content"], responses["206"]["content"]
    assert named(document, responses["200"])["title"] == "VideoSummary"
    assert whole["image/gif"] == ranges["image/gif"] == ranges["multipart/byteranges"]
    assert ranges.keys() - whole.keys() == {"multipart/byteranges"}
    assert ranges["application/json"] == {}
    assert "416" in responses


@pytest.mark.parametrize(
    ("what", "more"),
    [("status", ()), ("cancel", ("403", "409", "503")), ("retry", ("403", "409", "503"))],
)
def test_what_is_asked_of_a_task_may_be_refused(what: str, more: tuple[str, ...]) -> None:
    (operation,) = describe(PytorchInstanceDetector)["paths"][f"/annotate_video/{what}"].values()
    refused = {status for status in operation["responses"] if status >= "400"}
    assert refused == {"400", "404", "414", "500", *more}


@pytest.mark.parametrize(("path", "more"), [("/detect", {"408"}), ("/annotate_video/submit", ())])
def test_a_file_is_required_and_may_be_refused(path: str, more: Collection[str]) -> None:
    post = describe(PytorchInstanceDetector)["paths"][path]["post"]
    assert post["requestBody"]["required"] is True
    refused = {status for status in post["responses"] if status >= "400"}
    assert refused == {"400", "403", "413", "414", "415", "500", "503", "504", *more}


@pytest.mark.parametrize(
    ("path", "kinds"),
    [("/detect", ["image/*"]), ("/annotate_video/submit", ["video/*", "image/gif"])],
)
def test_a_file_may_be_sent_alone(path: str, kinds: list[str]) -> None:
    body = describe(PytorchInstanceDetector)["paths"][path]["post"]["requestBody"]
    assert [*body["content"]] == ["multipart/form-data", *kinds, "application/octet-stream"]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/metrics"])
def test_what_is_for_monitoring_is_text(path: str) -> None:
    get = describe(PytorchImageClassifier)["paths"][path]["get"]
    assert get["responses"]["200"]["content"] == {"text/plain": {"schema": {"type": "string"}}}


def test_the_states_of_a_task_are_those_that_are_answered() -> None:
    document = describe(PytorchInstanceDetector)
    status = document["paths"]["/annotate_video/status"]["get"]
    schema = named(document, status["responses"]["200"])
    states = ["pending", "in_progress", "completed", "failed", "canceled"]
    assert schema["properties"]["status"]["enum"] == states


def test_only_the_routes_of_a_task_are_there() -> None:
    paths = describe(PytorchInstanceDetector)["paths"]
    assert "/annotate_video" not in paths
    assert "/annotate_video/submit" in paths
