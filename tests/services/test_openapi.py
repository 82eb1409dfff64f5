from typing import Any

import pytest
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
    paths = document["paths"]
    for path, keyed in (("/predict", True), ("/metrics", True), ("/readyz", False)):
        (operation,) = paths[path].values()
        assert ("security" in operation) == keyed
        assert ("401" in operation["responses"]) == keyed


def test_each_type_of_answers_is_there_once_by_its_name() -> None:
    document = describe(PytorchInstanceDetector)
    paths, refusals = document["paths"], document["components"]["responses"]
    answers = {
        "Summary": [paths["/detect"]["post"]["responses"]["200"]],
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
    get = describe(PytorchInstanceDetector)["paths"]["/annotate_video/get"]["get"]
    assert get["responses"]["206"]["content"] == get["responses"]["200"]["content"]
    assert "416" in get["responses"]


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
