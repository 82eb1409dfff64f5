from bentoml_run.asgi import Answer
from bentoml_run.report import public_headers


def test_headers_are_recorded_that_say_something_about_the_answer() -> None:
    headers = (
        ("content-type", "application/json"),
        ("content-length", "5"),
        ("x-content-type-options", "nosniff"),
        ("x-bentoml-request-id", "1"),
        ("retry-after", "1"),
    )
    shown = public_headers(Answer(200, headers, b'"dog"'))
    assert shown == (("Content-Type", "application/json"), ("Retry-After", "1"))
