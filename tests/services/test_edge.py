import asyncio
import json
import logging
import threading
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import bentoml
import httpx
import pytest
from bentoml.exceptions import BentoMLConfigException
from PIL import Image
from starlette.types import Message

from bentoml_img import images
from services import edge
from services.edge import guard
from services.multipart import Form
from tests.samples import encode, huge, jpeg, photo
from tests.services.asgi import exchange, run, scope_of, started
from tests.services.echo import Echo
from tests.services.edges import chunks, client_of, new_edge, post, send, status

MIB = 2**20
FILE = ("photo.jpg", jpeg(), "image/jpeg")


@pytest.fixture(autouse=True)
def service(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The instance that the edge calls where it stands without BentoML's own application."""
    instance = Echo()
    monkeypatch.setattr(bentoml, "get_current_service", lambda: instance)
    return instance


def test_a_form_gives_picture_and_parameters() -> None:
    answer = post("/describe", files={"image": FILE}, data={"top_k": "5", "note": "null and void"})
    assert answer.json() == {
        "format": "JPEG",
        "size": [96, 64],
        "top_k": 5,
        "note": "null and void",
    }


def test_a_raw_body_takes_parameters_from_the_query() -> None:
    answer = post("/describe?top_k=5&note=a%20b", content=jpeg())
    assert (answer.json()["top_k"], answer.json()["note"]) == (5, "a b")


def test_a_form_takes_parameters_from_the_query_too() -> None:
    assert post("/describe?top_k=5", files={"image": FILE}).json()["top_k"] == 5


@pytest.mark.parametrize(
    "declared", ["image/png", "text/plain", "application/octet-stream", "", "x"]
)
def test_the_declared_type_does_not_matter(declared: str) -> None:
    raw = post("/describe", content=jpeg(), headers={"Content-Type": declared})
    form = post("/describe", files={"image": ("photo.svg", jpeg(), declared)})
    assert raw.json() == form.json() == post("/describe", content=jpeg()).json()


def test_json_under_a_file_name_is_a_value_but_for_the_picture() -> None:
    """A Blob, as browsers send it; and some label all that they send as JSON."""
    blob = ("blob", b"5", "application/json")
    picture = ("photo.jpg", jpeg(), "application/json")
    answer = post("/describe", files={"image": picture, "top_k": blob})
    assert (answer.status_code, answer.json()["top_k"]) == (200, 5)


def test_bytes_are_answered_as_they_are() -> None:
    answer = post("/png", content=jpeg())
    assert (answer.content, answer.headers["content-type"]) == (b"a picture", "image/png")


@pytest.mark.parametrize(
    ("request_", "field", "says"),
    [
        ({"content": b""}, "image", "image is empty"),
        ({"files": {"image": ("a.jpg", b"")}}, "image", "image is empty"),
        ({"files": {"note": (None, "x")}}, "image", "the file image is missing"),
        ({"files": {"picture": FILE}}, "picture", "no file 'picture' here, only image"),
        (
            {"files": {"picture": (None, "x")}},
            "picture",
            "no field 'picture' here, only image, top",
        ),
        ({"files": [("image", FILE), ("image", FILE)]}, "image", "given more than once"),
        ({"files": {"image": FILE, "top_k": (None, "0")}}, "top_k", "greater than or equal to 1"),
        ({"files": {"image": FILE, "top_k": (None, "many")}}, "top_k", "valid integer"),
        ({"files": {"image": FILE, "top_k": (None, "[" * 50_000)}}, "top_k", "valid integer"),
        ({"files": {"image": FILE, "top_k": (None, "9" * 5_000)}}, "top_k", "integer"),
        (
            {"files": {"image": FILE, "top_k": ("k.txt", b"5")}},
            "top_k",
            "no file 'top_k' here, only",
        ),
        ({"files": {"image": (None, "http://127.0.0.1:1/a.jpg")}}, "image", "not fetched"),
        ({"content": jpeg()[:-500]}, "image", "the picture is damaged: "),
        (
            {
                "content": b"",
                "headers": {"Content-Type": "multipart/form-data; boundary=" + "x" * 999},
            },
            None,
            "Boundary length",
        ),
        ({"content": b"--x", "headers": {"Content-Type": "multipart/form-data"}}, None, "boundary"),
    ],
)
def test_what_is_wrong_is_said_with_its_field(
    request_: dict[str, Any], field: str | None, says: str
) -> None:
    answer = post("/png" if "damaged" in says else "/describe", **request_)
    assert answer.status_code == 400
    assert answer.json().get("field") == field
    assert says in answer.json()["error"]


def test_query_and_form_may_not_both_give_a_parameter() -> None:
    answer = post("/describe?top_k=1", files={"image": FILE, "top_k": (None, "1")})
    assert (answer.status_code, answer.json()["field"]) == (400, "top_k")


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/a.jpg", "file:///etc/passwd"])
def test_a_picture_in_the_query_is_refused(address: str) -> None:
    for request in ({"content": jpeg()}, {"files": {"image": FILE}}, {}):
        answer = post("/describe", params={"image": address}, **request)
        assert (answer.status_code, answer.json()["field"]) == (400, "image")
        assert answer.json()["error"].startswith("image must be an uploaded file")


def test_a_body_that_the_server_dropped_is_told_so() -> None:
    """As uvicorn does where a client asks for HTTP/2, which Java's does unasked."""
    headers = {"content_length": "999", "upgrade": "h2c"}

    async def main() -> None:
        start, body = await exchange(new_edge(), "/describe", chunks(b""), **headers)
        assert start["status"] == 400
        assert b"0 of 999 bytes arrived: send it as HTTP/1.1" in body["body"]

    run(main())


def test_json_is_told_how_to_send_a_picture() -> None:
    answer = post("/describe", json={"image": "http://127.0.0.1:1/a.jpg"})
    assert answer.status_code == 415
    assert "multipart/form-data" in answer.json()["error"]


def test_a_service_with_a_prefix_is_refused() -> None:
    prefixed = bentoml.service(path_prefix="/v1")(type("Prefixed", (), {}))
    with pytest.raises(BentoMLConfigException, match="Prefixed has the path_prefix '/v1'"):
        guard(prefixed)


def test_all_else_passes_through() -> None:
    for method, path in (("POST", "/say"), ("GET", "/docs.json"), ("GET", "/describe/")):
        assert send(method, path).text == "behind the edge"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_image_apis_take_post_alone(method: str) -> None:
    answer = send(method, "/describe")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json() == {"error": "/describe takes POST"}


def test_a_fault_of_ours_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "bentoml_img.edge"):
        answer = post("/crash", content=jpeg())
    assert answer.status_code == 500
    assert answer.json() == {"error": "an unexpected error, see the server's log"}
    assert "ZeroDivisionError: secret" in caplog.text


@pytest.mark.parametrize("name", images.FORMATS)
def test_huge_pictures_are_refused(name: str) -> None:
    answer = post("/describe", content=huge(name))
    assert (answer.status_code, answer.json()["field"]) == (413, "image")


def test_the_pixel_limit_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENTOML_IMG_MAX_MEGAPIXELS", "1")
    assert post("/describe", content=jpeg(1000, 1000)).status_code == 200
    assert post("/describe", content=jpeg(1000, 1001)).status_code == 413


def test_the_upload_limit_is_a_setting_and_counts_the_file_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BENTOML_IMG_MAX_UPLOAD_MIB", "1")
    fits = encode(photo())
    fits += bytes(MIB - len(fits))  # trailing zeros do not harm a PNG
    assert post("/describe", content=fits).status_code == 200
    assert post("/describe", files={"image": ("a.png", fits)}).status_code == 200
    for request in ({"content": fits + b"0"}, {"files": {"image": ("a.png", fits + b"0")}}):
        answer = post("/describe", **request)
        assert (answer.status_code, answer.headers["connection"]) == (413, "close")
        assert "1 MiB (the server's BENTOML_IMG_MAX_UPLOAD_MIB)" in answer.json()["error"]


def test_a_body_may_come_in_any_pieces() -> None:
    async def main() -> None:
        body = chunks(*(bytes([byte]) for byte in jpeg()), b"")
        sent = await exchange(new_edge(), "/describe", body)
        assert json.loads(sent[1]["body"])["size"] == [96, 64]

    run(main())


def test_a_client_that_goes_away_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BENTOML_IMG_MAX_UPLOAD_MIB", "1")
    monkeypatch.setenv("BENTOML_IMG_MAX_UPLOAD_IN_FLIGHT_MIB", "2")

    async def main() -> None:
        app = new_edge()
        for _ in range(3):
            # An answer that nobody reads: without one BentoML waits for it until its timeout.
            gone = await exchange(app, "/describe", chunks(bytes(MIB), end=False))
            assert status(gone) == 400
        assert status(await exchange(app, "/describe", chunks(jpeg()))) == 200

    run(main())


def test_an_upload_that_does_not_come_is_waited_for_only_so_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timeout, waited = asyncio.timeout, []

    def soon(seconds: float) -> asyncio.Timeout:
        waited.append(seconds)
        return timeout(0.1)

    monkeypatch.setattr(asyncio, "timeout", soon)
    sent: list[Message] = []

    async def main() -> None:
        app = new_edge()
        first = chunks(jpeg()[:100], end=False)

        async def receive() -> Message:
            message = next(first, None)
            if message is None or message["type"] == "http.disconnect":
                await asyncio.Event().wait()
            assert message is not None
            return message

        async def send(message: Message) -> None:
            sent.append(message)

        await app(scope_of("/describe"), receive, send)
        assert app.budget.held == 0

    run(main())
    assert status(sent) == 408
    assert (b"connection", b"close") in sent[0]["headers"]
    assert b"the upload took longer than 60 seconds" in sent[1]["body"]
    assert waited == [60, 10], "for the upload, and for the connection's end"


def test_uploads_beyond_the_budget_are_refused_until_others_are_done(
    monkeypatch: pytest.MonkeyPatch, service: Any
) -> None:
    monkeypatch.setenv("BENTOML_IMG_MAX_UPLOAD_MIB", "1")
    monkeypatch.setenv("BENTOML_IMG_MAX_UPLOAD_IN_FLIGHT_MIB", "2")
    half = encode(photo())
    half += bytes(MIB - len(half))

    async def main() -> None:
        app = new_edge()
        async with client_of(app) as client:
            waiting = [asyncio.ensure_future(client.post("/wait", content=half)) for _ in "ab"]
            while app.budget.held < 2 * MIB:
                await asyncio.sleep(0)
            for _ in "ab":  # one that is refused gives back no more than it took
                refused = await client.post("/describe", content=jpeg())
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert app.budget.held == 2 * MIB
            service.go.set()
            assert [(await answer).status_code for answer in waiting] == [200, 200]
            assert app.budget.held == 0
            assert (await client.post("/describe", content=half)).status_code == 200

    run(main())


@pytest.mark.parametrize("form", [True, False])
def test_an_upload_is_held_once_while_it_comes_and_while_it_waits(form: bool, service: Any) -> None:
    upload = encode(photo())
    upload += bytes(4 * MIB - len(upload))
    files = {"files": {"image": ("a.png", upload)}}
    request = httpx.Request("POST", "http://test/", **(files if form else {"content": upload}))
    body, headers = request.read(), {"content_type": request.headers.get("content-type", "")}

    def messages() -> Iterator[Message]:
        for start in range(0, len(body), 64 * 1024):
            piece = body[start : start + 64 * 1024]
            yield {"type": "http.request", "body": piece, "more_body": True}
        yield {"type": "http.request"}

    async def main() -> None:
        app = new_edge()
        tracemalloc.start()
        waiting = asyncio.ensure_future(exchange(app, "/wait", messages(), **headers))
        while not service.waits:
            await asyncio.sleep(0.01)
        held, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        service.go.set()
        assert status(await waiting) == 200
        assert held < 1.1 * len(upload)
        assert most < 1.5 * len(upload)

    run(main())


@pytest.mark.parametrize("body", [b"", b"x", jpeg()[:99], huge("PNG")])
def test_a_refused_upload_gives_its_budget_back(body: bytes) -> None:
    async def main() -> None:
        app = new_edge()
        assert status(await exchange(app, "/png", chunks(body))) in (400, 413, 415)
        assert app.budget.held == 0

    run(main())


def test_the_headers_of_long_files_are_read_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []

    def noting(data: bytes, max_pixels: int) -> Image.Image:
        threads.append(threading.current_thread())
        return images.open_image(data, max_pixels)

    monkeypatch.setattr(edge, "open_image", noting)
    assert post("/describe", content=jpeg()).status_code == 200
    assert post("/describe", content=jpeg() + bytes(MIB)).status_code == 200
    assert [thread is threading.main_thread() for thread in threads] == [True, False]


def test_a_long_form_is_parsed_in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    write = Form.write

    def noting(form: Form, piece: bytes) -> None:
        threads.append(threading.current_thread())
        write(form, piece)

    monkeypatch.setattr(Form, "write", noting)
    assert post("/describe", files={"image": FILE}).status_code == 200
    assert all(thread is threading.main_thread() for thread in threads)
    long = ("photo.jpg", jpeg() + bytes(MIB))
    assert post("/describe", files={"image": long}).status_code == 200
    assert threads[-1] is not threading.main_thread()


class TestBehindBentoML:
    """Where the edge stands in the service's own application."""

    @pytest.fixture(autouse=True)
    def service(self) -> None:
        """BentoML makes the instance."""

    def test_errors_have_one_shape(self) -> None:
        async def main() -> None:
            async with started(Echo) as client:
                unknown = await client.post("/nothing")
                assert (unknown.status_code, unknown.json()) == (404, {"error": "not found"})
                wrong = await client.get("/say")
                assert (wrong.status_code, wrong.json()) == (405, {"error": "method not allowed"})
                assert wrong.headers["allow"] == "POST"

        run(main())

    def test_no_other_path_leads_around_the_edge(self) -> None:
        async def main() -> None:
            address = {"image": "http://127.0.0.1:1/a.jpg"}
            async with started(Echo) as client:
                for end in ("%0A", "%0D%0A", "%00", "%20", "%3F"):
                    answer = await client.post(f"/describe{end}", json=address)
                    assert (answer.status_code, answer.json()) == (404, {"error": "not found"})
                assert (await client.post("/describe/", json=address)).status_code == 307

        run(main())

    def test_a_timed_out_call_is_cancelled(self) -> None:
        async def main() -> None:
            async with started(Echo) as client:
                answer = await client.post("/wait", content=jpeg())
                assert answer.status_code == 504
                assert "error" in answer.json()
                await bentoml.get_current_service().cancelled.wait()

        run(main())

    def test_a_slow_client_is_timed_out(self) -> None:
        async def main() -> None:
            async def dawdle() -> AsyncIterator[bytes]:
                yield b"a"
                await asyncio.Event().wait()

            async with started(Echo) as client:
                answer = await client.post("/describe", content=dawdle())
                assert answer.status_code == 504

        run(main())
