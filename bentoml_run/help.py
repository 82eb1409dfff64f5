"""Help about one Bento or one of its APIs, from the service itself."""

import inspect
from collections.abc import Mapping

import click

from bentoml_run.schema import Api, type_name


def bento_help(
    command: str, bento: str, description: str, apis: Mapping[str, Api], docs: Mapping[str, str]
) -> str:
    """The APIs of a Bento, each with the first line of its documentation."""
    page = click.HelpFormatter()
    page.write_usage(command, f"{bento} API [OPTIONS]")
    _write_doc(page, description)
    with page.section("APIs"):
        page.write_dl([(name, _first_line(docs.get(name, ""))) for name in apis])
    page.write_paragraph()
    page.write_text(f"'{command} {bento} API --help' shows what one API takes.")
    return page.getvalue().rstrip("\n")


def api_help(command: str, bento: str, api: Api, doc: str) -> str:
    """What an API takes and answers."""
    page = click.HelpFormatter()
    page.write_usage(command, f"{bento} {api.name} {' '.join(_usage(api))}".rstrip())
    _write_doc(page, doc)
    if api.raw is not None:
        with page.section("Input (--input-file FILE, or --input VALUE)"):
            page.write_dl([("body", type_name(api.raw))])
    files = [field for field in api.fields.values() if field.takes_files]
    values = [field for field in api.fields.values() if not field.takes_files]
    for title, fields in (
        ("Files (--input-file FILE..., or --param NAME=@FILE)", files),
        ("Parameters (--param NAME=VALUE, or --input JSON)", values),
    ):
        if fields:
            with page.section(title):
                page.write_dl([(field.name, field.describe()) for field in fields])
    with page.section("Answer"):
        page.write_text(_answer(api))
    return page.getvalue().rstrip("\n")


def _usage(api: Api) -> list[str]:
    if api.raw is not None:
        return ["--input-file FILE..."]
    required = [field for field in api.fields.values() if field.required]
    optional = [field for field in api.fields.values() if not field.required]
    parts = []
    if first := next((field for field in required if field.takes_files), None):
        required.remove(first)
        parts.append("--input-file FILE...")
    elif first := next(iter(api.file_fields), None):
        optional.remove(first)
        parts.append("[--input-file FILE...]")
    for field in required:
        parts.append(f"--param {field.name}={'@FILE' if field.takes_files else 'VALUE'}")
    return [*parts, "[--param NAME=VALUE]..."] if optional else parts


def _answer(api: Api) -> str:
    schema = api.output
    if schema.get("type") == "file" or str(schema.get("media_type", "")).startswith(
        ("image/", "audio/", "video/")
    ):
        return f"A {type_name({**schema, 'type': 'file'})}, written beside the input."
    if schema.get("type") == "string":
        return "Text, as it comes." if api.streams else "Text."
    if "type" not in schema:
        return "Text or JSON on standard output, or a file, written beside the input."
    return f"JSON: {type_name(schema)}."


def _write_doc(page: click.HelpFormatter, doc: str) -> None:
    for paragraph in inspect.cleandoc(doc).split("\n\n"):
        if paragraph:
            page.write_paragraph()
            with page.indentation():
                page.write_text(paragraph)


def _first_line(doc: str) -> str:
    return " ".join(inspect.cleandoc(doc).partition("\n\n")[0].split())
