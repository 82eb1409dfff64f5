import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import get_args

import pytest

from benchmarks import servers
from benchmarks.load import BOUNDARY, Exchange, request, run, says
from services.multipart import Form


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(500 if b"broken" in body else 200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b'"dog"')

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("form", get_args(servers.Form))
def test_right_answers_are_counted_and_timed(port: int, form: servers.Form) -> None:
    figure = run(port, [Exchange(request("/", b"photo", form), says("dog"))], 2, 0.1)
    assert figure.answered >= 2
    assert figure.errors == 0
    assert 0 < figure.p50 <= figure.p99


def test_wrong_labels_and_statuses_are_errors(port: int) -> None:
    right, wrong, broken = (
        Exchange(request("/", photo, "raw"), says(label))
        for photo, label in ((b"photo", "dog"), (b"photo", "cat"), (b"broken", "dog"))
    )
    figure = run(port, [right, wrong, broken], 1, 0.1)
    assert 2 * figure.answered - 2 <= figure.errors <= 2 * figure.answered
    assert figure.errors > 0


def test_a_server_that_is_always_wrong_has_no_figure(port: int) -> None:
    with pytest.raises(RuntimeError, match="not one right answer"):
        run(port, [Exchange(request("/", b"photo", "raw"), says("cat"))], 2, 0.1)


def test_a_form_holds_the_photo() -> None:
    body = request("/", b"photo", "multipart").partition(b"\r\n\r\n")[2]
    photo = io.BytesIO()
    form = Form(f"multipart/form-data; boundary={BOUNDARY}", "image", photo)
    form.write(body)
    (part,) = form.close()
    assert (part.name, part.filename, photo.getvalue()) == ("image", "photo.jpg", b"photo")
