"""What a service says of its APIs, to its page and to other programs: OpenAPI 3.1.

BentoML's own description is of what it would answer itself: it lacks most refusals,
names other states of tasks, and has a task's path that only gives directions. Nor
is it valid: two operations share an id, and files have a type that there is not.
"""

import inspect
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import yaml
from pydantic import TypeAdapter

from bentoml_img.video.results import VideoSummary
from services.endpoints import Endpoint, image_endpoints
from services.fields import Fields
from services.paths import HEALTH
from services.settings import Settings
from services.sites import READING
from services.tasks import METHODS, PARTS, TaskStatus

Json = dict[str, Any]

JSON = "application/json"
FILE = {"type": "string", "format": "binary"}
VIDEOS = ("video/mp4", "image/gif")  # what a task's result may be
REFUSAL = {
    "title": "Refusal",
    "description": "What is wrong, and with which field, if it is with one.",
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}, "field": {"type": "string"}},
}
REFUSALS = {
    HTTPStatus.BAD_REQUEST: "A field is missing, unknown or of a wrong value, or a file is damaged",
    HTTPStatus.UNAUTHORIZED: "The API key is missing or wrong",
    HTTPStatus.FORBIDDEN: "A page of another site asks for work",
    HTTPStatus.NOT_FOUND: "There is no such task, or its time is over",
    HTTPStatus.REQUEST_TIMEOUT: "The upload took too long",
    HTTPStatus.CONFLICT: "Not in this state of the task",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "More bytes or pixels than the server takes",
    HTTPStatus.REQUEST_URI_TOO_LONG: "The query is too long",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "A file of a kind that is not taken",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "The result ends before that range",
    HTTPStatus.INTERNAL_SERVER_ERROR: "An error of the server's own",
    HTTPStatus.GATEWAY_TIMEOUT: "It took longer than a request may",
    HTTPStatus.SERVICE_UNAVAILABLE: "Too much is waiting: again after `Retry-After` seconds",
}
OF_FILES = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.REQUEST_URI_TOO_LONG,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
OF_TASKS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.REQUEST_URI_TOO_LONG,
    HTTPStatus.INTERNAL_SERVER_ERROR,
)
OPERATION = {
    "/livez": "Whether the process answers",
    "/readyz": "Whether the service is ready for requests",
    "/healthz": "The same as /livez",
    "/metrics": "Figures in Prometheus' text format",
}


class Description(Json):
    """An OpenAPI document, as BentoML wants it: to serve it, and to write it into a Bento."""

    def asdict(self) -> Json:
        return dict(self)


yaml.add_representer(Description, yaml.SafeDumper.represent_dict)


def describe(service: Any) -> Description:
    """The image APIs, the tasks and the operation of a BentoML service."""
    schemas = _Schemas()
    paths: dict[str, Json] = {}
    for path, endpoint in image_endpoints(service).items():
        paths[path] = {"post": _of_picture(endpoint, schemas)}
    for method in service.apis.values():
        if method.is_task:
            paths |= _of_task(method, schemas)
    for operations in paths.values():
        for method, operation in operations.items():
            if method.upper() not in READING:
                operation["responses"] |= _refused([HTTPStatus.FORBIDDEN])
    for path, summary in OPERATION.items():
        responses = _ok({"text/plain": {"type": "string"}})
        paths[path] = {"get": {"summary": summary, "tags": ["Operation"], "responses": responses}}
    components: Json = {"schemas": schemas.named, "responses": _refusals()}
    document = Description(
        openapi="3.1.0",
        info=_info(service),
        servers=[{"url": "."}],
        paths=paths,
        components=components,
    )
    if Settings.from_environment().api_key:
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        for path in paths.keys() - HEALTH:
            (operation,) = paths[path].values()
            operation["security"] = [{"bearer": []}, {"header": []}]
            operation["responses"] |= _refused([HTTPStatus.UNAUTHORIZED])
    return document


class _Schemas:
    """JSON schemas; those of models stand once, in `named`, so that clients have a type of each."""

    REFERENCE = "#/components/schemas/{model}"

    def __init__(self) -> None:
        self.named: Json = {"Refusal": REFUSAL}

    def of_answer(self, model: TypeAdapter[Any]) -> Json:
        schemas, definitions = TypeAdapter.json_schemas(
            [("answer", "serialization", model)], ref_template=self.REFERENCE
        )
        self.named |= definitions.get("$defs", {})
        (schema,) = schemas.values()
        return schema

    def of_form(self, fields: Fields) -> Json:
        schema = fields.model.model_json_schema(ref_template=self.REFERENCE)
        self.named |= schema.pop("$defs", {})
        schema["properties"][fields.file] = FILE
        schema["additionalProperties"] = False
        return schema


def _info(service: Any) -> Json:
    bento = service.bento
    return {
        "title": service.name,
        "version": bento.tag.version if bento else "dev",
        "description": service.doc if bento else inspect.getdoc(service.inner),
    }


def _of_picture(endpoint: Endpoint, schemas: _Schemas) -> Json:
    function, media_type = endpoint.function, endpoint.media_type
    answer = schemas.of_answer(endpoint.answer) if media_type == JSON else FILE
    return {
        "summary": inspect.getdoc(function),
        "tags": ["Pictures"],
        "operationId": function.__name__,
        "parameters": _in_query(endpoint.fields, schemas),
        "requestBody": _body(endpoint.fields, schemas, "image/*"),
        "responses": _ok({media_type: answer}) | _refused([*OF_FILES, HTTPStatus.REQUEST_TIMEOUT]),
    }


def _of_task(method: Any, schemas: _Schemas) -> dict[str, Json]:
    """What can be done with a task: `services.tasks`."""
    fields = Fields.of(method)
    summary, _, more = inspect.cleandoc(method.doc).partition("\n\n")
    status = {JSON: schemas.of_answer(TypeAdapter(TaskStatus))}
    task_id = _parameter("task_id", {"type": "string"}, required=True)
    part = _parameter("part", {"type": "string", "enum": list(PARTS), "default": "video"})
    found = dict.fromkeys((*VIDEOS, *filter(None, PARTS.values())), FILE)
    found[JSON] = schemas.of_answer(TypeAdapter(VideoSummary))
    ranges = found | {JSON: {}, "multipart/byteranges": FILE}  # a piece of JSON is no JSON
    conflict = (*OF_TASKS, HTTPStatus.CONFLICT)
    of_result = (*conflict, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
    of_change = (*conflict, HTTPStatus.SERVICE_UNAVAILABLE)

    def operation(name: str, summary: str, responses: Json, **others: Any) -> Json:
        return {
            "summary": summary,
            "tags": ["Tasks"],
            "operationId": f"{method.name}_{name}",
            "responses": responses,
            **others,
        }

    accepted = _ok(status, HTTPStatus.ACCEPTED)
    submit = operation(
        "submit",
        summary,
        accepted | _refused(OF_FILES),
        description=more,
        parameters=_in_query(fields, schemas),
        requestBody=_body(fields, schemas, "video/*", "image/gif"),
    )
    ask = operation(
        "status", "How far it is", _ok(status) | _refused(OF_TASKS), parameters=[task_id]
    )
    get = operation(
        "get",
        "Its result, or a part of it",
        _ok(found) | _ok(ranges, HTTPStatus.PARTIAL_CONTENT) | _refused(of_result),
        parameters=[task_id, part],
    )
    cancel = operation("cancel", "Stop it", _ok(status) | _refused(of_change), parameters=[task_id])
    retry = operation(
        "retry",
        "Go on with one that failed or was cancelled",
        accepted | _refused(of_change),
        parameters=[task_id],
    )
    operations = {"submit": submit, "status": ask, "get": get, "cancel": cancel, "retry": retry}
    return {f"{method.route}/{name}": {METHODS[name].lower(): operations[name]} for name in METHODS}


def _body(fields: Fields, schemas: _Schemas, *kinds: str) -> Json:
    """A form, in which what is not text is JSON; or the file alone, of one of `kinds`."""
    form = schemas.of_form(fields)
    encoding = {
        name: {"contentType": JSON}
        for name, schema in form["properties"].items()
        if schema.get("type") != "string"
    }
    alone = {kind: {"schema": FILE} for kind in (*kinds, "application/octet-stream")}
    return {
        "description": f"A form, or `{fields.file}` alone: then other fields are in the query.",
        "required": True,
        "content": {"multipart/form-data": {"schema": form, "encoding": encoding}, **alone},
    }


def _in_query(fields: Fields, schemas: _Schemas) -> list[Json]:
    """The fields beside the file, without defaults: Swagger UI would send them beside the form."""
    form = schemas.of_form(fields)["properties"]
    del form[fields.file]
    for schema in form.values():
        schema.pop("default", None)
    return [_parameter(name, schema) for name, schema in form.items()]


def _parameter(name: str, schema: Json, required: bool = False) -> Json:
    """A list is JSON here; that each item may be a parameter, too, cannot be said beside it."""
    value = {"schema": schema} if "type" in schema else {"content": {JSON: {"schema": schema}}}
    return {"name": name, "in": "query", "required": required, **value}


def _ok(contents: Mapping[str, Json], status: HTTPStatus = HTTPStatus.OK) -> Json:
    content = {kind: {"schema": schema} if schema else {} for kind, schema in contents.items()}
    return {str(status.value): {"description": status.phrase, "content": content}}


def _refused(statuses: Iterable[HTTPStatus]) -> Json:
    reference = "#/components/responses/{}"
    return {str(status.value): {"$ref": reference.format(status.name)} for status in statuses}


def _refusals() -> Json:
    schema = {"$ref": _Schemas.REFERENCE.format(model="Refusal")}
    return {
        status.name: {"description": description, "content": {JSON: {"schema": schema}}}
        for status, description in REFUSALS.items()
    }
