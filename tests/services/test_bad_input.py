"""What is wrong with an upload is said in one line, over HTTP and by `bentoml run` alike."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import httpx
import pytest

from bentoml_img.images import FORMATS
from tests.samples import encode, huge, jpeg, photo
from tests.services.live import JSON, Server, Service

MIB = 2**20
# What one worker of the server may need for any of the requests here, and what it may not.
UPLOAD_ALLOWANCE = 100 * MIB


@dataclass(frozen=True)
class Upload:
    """A file, and what becomes of it."""

    name: str
    data: bytes
    status: int


UPLOADS = (
    Upload("empty.jpg", b"", 400),
    Upload("text.jpg", b"This is not a picture.\n", 415),
    Upload("truncated.jpg", jpeg(600, 400)[:-2000], 400),
    Upload("header_alone.png", encode(photo())[:33], 415),
    Upload("jpeg_named.png", jpeg(), 200),
    Upload("png_named.txt", encode(photo()), 200),
    Upload("no_name_at_all", encode(photo(), "WEBP"), 200),
    Upload("one_pixel.png", encode(photo(1, 1)), 200),
    Upload("one_line.jpg", jpeg(1000, 1), 200),
    Upload("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg' width='9'/>", 415),
    Upload("document.pdf", encode(photo(), "PDF"), 415),
    Upload("twenty_mib.png", encode(photo()) + bytes(20 * MIB), 413),
    *(Upload(f"huge.{name.lower()}", huge(name), 413) for name in FORMATS),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The uploads as files, and one of 100 MB that takes no place."""
    folder = tmp_path_factory.mktemp("uploads")
    for upload in UPLOADS:
        (folder / upload.name).write_bytes(upload.data)
    with (folder / "100_mb.jpg").open("wb") as file:
        file.write(jpeg())
        file.truncate(100_000_000)
    return folder


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A web server's place; a connection to it would wait there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def assert_nobody_called(listener: socket.socket) -> None:
    with pytest.raises(BlockingIOError):
        listener.accept()


def address(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}/dog.jpg"


def assert_refused(answer: httpx.Response, status: int, field: str | None = "image") -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()
    assert error.get("field") == field
    assert error["error"]
    assert "\n" not in error["error"]


@pytest.mark.parametrize("upload", UPLOADS, ids=lambda upload: upload.name)
@pytest.mark.parametrize("form", [True, False], ids=["form", "raw"])
def test_uploads(upload: Upload, form: bool, service: Service, server: Server) -> None:
    url = f"{server.url}/predict"
    if form:
        file = (upload.name, upload.data, "image/jpeg")
        answer = httpx.post(url, files={"image": file}, timeout=240)
    else:
        headers = {"Content-Type": "image/jpeg"}
        answer = httpx.post(url, content=upload.data, headers=headers, timeout=240)
    if upload.status == 200:
        media_type = service.media_types["predict"]
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    elif upload.status == 413 and len(upload.data) > MIB:
        assert_refused(answer, 413, None)
    else:
        assert_refused(answer, upload.status)


def test_bentoml_run_says_the_same(
    service: Service, server: Server, folder: Path, tmp_path: Path
) -> None:
    for api in service.media_types:
        compare_run_with_http(api, service, server, folder, tmp_path)


def compare_run_with_http(
    api: str, service: Service, server: Server, folder: Path, results: Path
) -> None:
    names = [upload.name for upload in UPLOADS] + ["100_mb.jpg"]
    to_results = ("--format", "json", "--output-dir", results)
    run = service.run(api, *to_results, "--input-file", *names, cwd=folder)
    assert run.returncode == 1
    assert b"Traceback" not in run.stderr
    records = [json.loads(line) for line in run.stdout.splitlines()]
    assert [record["task"]["data"]["name"] for record in records] == names
    errors = run.stderr.decode().splitlines()
    with httpx.Client(base_url=server.url, timeout=240) as client:
        for upload, record in zip(UPLOADS, records[:-1], strict=True):
            answer = client.post(f"/{api}", files={"image": (upload.name, upload.data)})
            assert record["result"]["http_status"] == upload.status == answer.status_code
            data = record["result"]["data"]
            if upload.status == 200 and service.media_types[api] != JSON:
                assert (results / data["name"]).read_bytes() == answer.content
            else:
                assert data == answer.text
            if upload.status != 200:
                (line,) = [line for line in errors if upload.name in line]
                assert answer.json()["error"] in line
    assert records[-1]["result"]["http_status"] == 413
    assert len(errors) == sum(upload.status != 200 for upload in UPLOADS) + 1


@pytest.mark.parametrize("name", FORMATS)
def test_a_promise_of_many_pixels_costs_no_memory(name: str, server: Server) -> None:
    httpx.post(f"{server.url}/predict", content=jpeg(), timeout=240)
    server.reset_peak_memory()
    before = server.peak_memory()
    for _ in range(8):
        answer = httpx.post(f"{server.url}/predict", content=huge(name), timeout=240)
        assert_refused(answer, 413)
    assert server.peak_memory() - before < 16 * MIB


def test_100_mb_are_refused_by_their_declared_length(server: Server) -> None:
    server.reset_peak_memory()
    before = server.peak_memory()
    with socket.create_connection(server.address) as connection:
        connection.settimeout(240)
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: test\r\nContent-Length: 100000000\r\n\r\n"
        )
        # Not a byte of the body is sent, so the answer cannot have waited for it.
        head = connection.recv(4096)
    assert head.startswith(b"HTTP/1.1 413 ")
    assert server.peak_memory() - before < 16 * MIB


def test_100_mb_of_unknown_length_are_refused_on_the_way(server: Server) -> None:
    server.reset_peak_memory()
    before = server.peak_memory()
    chunk = b"100000\r\n" + bytes(MIB) + b"\r\n"
    sent = 0
    with socket.create_connection(server.address) as connection:
        connection.settimeout(240)
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        try:
            while sent < 100:
                connection.sendall(chunk)
                sent += 1
        except OSError:  # the server has closed the connection
            pass
        else:
            pytest.fail("the server has read it all")
        head = connection.recv(4096)
    assert head.startswith(b"HTTP/1.1 413 ")
    assert server.peak_memory() - before < UPLOAD_ALLOWANCE


@pytest.mark.parametrize("declared", [True, False])
def test_a_client_that_sends_all_before_it_reads_is_told_what_is_too_large(
    declared: bool, server: Server
) -> None:
    """As Python's own does."""
    pieces = [bytes(MIB)] * 30
    for _ in range(5):
        data = b"".join(pieces) if declared else iter(pieces)
        request = Request(f"{server.url}/predict", data)
        with pytest.raises(HTTPError) as refused:
            urlopen(request, timeout=240)
        assert refused.value.code == 413
        refused.value.close()


def test_a_missing_field(service: Service, server: Server) -> None:
    for api in service.media_types:
        url = f"{server.url}/{api}"
        assert_refused(httpx.post(url), 400)
        assert_refused(httpx.post(url, files={"file": jpeg()}), 400, "file")
        empty = b"--x--\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        assert_refused(httpx.post(url, content=empty, headers=headers), 400)


def test_two_files_in_the_field(server: Server) -> None:
    files = [("image", ("a.jpg", jpeg())), ("image", ("b.jpg", jpeg()))]
    assert_refused(httpx.post(f"{server.url}/predict", files=files), 400)


def test_an_address_in_place_of_the_file_is_not_fetched(
    server: Server, listener: socket.socket
) -> None:
    url, text = f"{server.url}/predict", address(listener)
    assert_refused(httpx.post(url, files={"image": (None, text)}), 400)
    assert_refused(httpx.post(url, files={"image": (None, json.dumps(text))}), 400)
    assert_refused(httpx.post(url, files={"image": ("dog.url", text.encode())}), 415)
    assert_refused(httpx.post(url, params={"image": text}), 400)
    assert_refused(httpx.post(url, params={"image": text}, content=jpeg()), 400)
    assert_refused(httpx.post(url, json={"image": text}), 415)
    assert_refused(httpx.post(url, data={"image": text}), 415)
    assert_refused(httpx.post(url, content=text), 415)
    assert_refused(httpx.post(f"{url}%0A", json={"image": text}), 404, None)
    assert_nobody_called(listener)


def test_a_string_in_place_of_the_file(server: Server) -> None:
    url = f"{server.url}/predict"
    assert_refused(httpx.post(url, files={"image": (None, "/etc/passwd")}), 400)
    assert_refused(httpx.post(url, json="dog.jpg"), 415)
    assert_refused(httpx.post(url, content=b"[]", headers={"Content-Type": "text/json"}), 415)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x",
        b"--x\r\n",
        b"--y\r\n",
        b"--x\r\nContent-Disposition: form-data\r\n\r\n\r\n--x--",
    ],
)
def test_a_damaged_form(body: bytes, server: Server) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = httpx.post(f"{server.url}/predict", content=body, headers=headers)
    assert_refused(answer, 400, None)
    assert answer.json()["error"].startswith("the multipart form is damaged: ")


@pytest.mark.parametrize(
    "declared", [b"\xff", b"multipart/form-data; boundary=\xe9", b";", b"a" * 9000]
)
def test_a_content_type_that_is_none(declared: bytes, server: Server) -> None:
    headers = {b"Content-Type": declared}
    answer = httpx.post(f"{server.url}/predict", content=b"x", headers=headers)
    assert answer.status_code in (400, 415)
    assert answer.json()["error"]


class TestBentomlRun:
    """Where the command line has its own ways to be wrong."""

    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["--input", "{}"],
            ["--input-file", "no_such_file.jpg"],
            ["--param", "image=dog.jpg"],
            ["--param", "image=@drawing.svg", "--param", "image=@document.pdf"],
            ["--input", '{"image": ["one_pixel.png", "one_pixel.png"]}'],
            ["--input-file", "one_pixel.png", "--param", "size=3"],
        ],
        ids=["nothing", "an empty object", "no file", "a string", "two files", "a list", "unknown"],
    )
    def test_wrong_usage(self, arguments: list[str], bento: Service, folder: Path) -> None:
        run = bento.run("predict", *arguments, cwd=folder)
        assert run.returncode in (1, 2)
        assert run.stdout == b""
        assert b"Traceback" not in run.stderr
        assert b"Error: " in run.stderr

    def test_an_address_is_not_fetched(
        self, bento: Service, listener: socket.socket, folder: Path
    ) -> None:
        text = address(listener)
        for arguments in (["--param", f"image={text}"], ["--input", json.dumps({"image": text})]):
            run = bento.run("predict", *arguments, cwd=folder)
            assert run.returncode in (1, 2)
            assert b"Traceback" not in run.stderr
        assert_nobody_called(listener)

    def test_an_unknown_api_is_met_with_the_near_one(self, bento: Service) -> None:
        run = bento.run("predicts")
        assert run.returncode == 2
        assert b"predict" in run.stderr
        assert bento.name.lower().encode() in run.stderr.lower()
