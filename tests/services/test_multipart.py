import io
from http import HTTPStatus

import pytest

from services.errors import RequestRefused
from services.multipart import MAX_HEADER, Form, Part

TYPE = "multipart/form-data; boundary=edge"


def parse(body: bytes, content_type: str, file: str) -> list[Part]:
    """The parts of a form that comes as one piece, the file's data with it."""
    spool = io.BytesIO()
    form = Form(content_type, file, spool)
    form.write(body)
    parts = form.close()
    for part in parts:
        if part.spooled:
            part.data += spool.getvalue()
    return parts


def part(disposition: str, data: bytes = b"data", *more: str) -> bytes:
    headers = [f"Content-Disposition: {disposition}", *more]
    return b"--edge\r\n" + "\r\n".join(headers).encode() + b"\r\n\r\n" + data + b"\r\n"


def blob(data: bytes) -> bytes:
    """A parameter as browsers send JSON."""
    disposition = 'form-data; name="top_k"; filename="blob"'
    return part(disposition, data, "content-type: application/json")


FILE = part('form-data; name="image"; filename="a.jpg"', b"\xff\xd8", "Content-Type: image/jpeg")
END = b"--edge--\r\n"


def file(data: bytes) -> list[Part]:
    return [Part("image", "a.jpg", bytearray(data), spooled=True)]


def test_files_and_text_are_told_apart() -> None:
    text = part('form-data; name="top_k"', b"5")
    assert parse(FILE + text + END, TYPE, "image") == [
        *file(b"\xff\xd8"),
        Part("top_k", None, bytearray(b"5")),
    ]


@pytest.mark.parametrize("kind", ["Application/JSON", "application/json; charset=utf-8"])
def test_json_is_known(kind: str) -> None:
    blob = part('form-data; name="top_k"; filename="blob"', b"5", f"content-type: {kind}")
    assert parse(blob + FILE + END, TYPE, "image") == [
        Part("top_k", "blob", bytearray(b"5"), is_json=True),
        *file(b"\xff\xd8"),
    ]


def test_an_empty_file_name_is_still_a_file() -> None:
    assert (
        parse(part('form-data; name="image"; filename=""') + END, TYPE, "image")[0].filename == ""
    )


def test_names_may_be_in_any_script() -> None:
    (only,) = parse(part('form-data; name="image"; filename="собака.jpg"') + END, TYPE, "image")
    assert only.filename == "собака.jpg"


def test_a_name_may_be_an_extended_one_alone() -> None:
    extended = part("form-data; name=\"image\"; filename*=UTF-8''caf%C3%A9%20a.jpg", b"\xff\xd8")
    (found,) = parse(extended + END, TYPE, "image")
    assert found == Part("image", "café a.jpg", bytearray(b"\xff\xd8"), spooled=True)
    both = part("form-data; name=image; filename*=UTF-8''b.jpg; filename=a.jpg", b"\xff\xd8")
    assert parse(both + END, TYPE, "image") == file(b"\xff\xd8")


def test_header_names_are_read_in_any_case() -> None:
    assert parse(FILE.replace(b"Content-Disposition", b"cONTENT-dISPOSITION") + END, TYPE, "image")


def test_what_looks_like_a_boundary_stays_data() -> None:
    data = b"\r\n--edg\r\n-\r\n--\r\r\n--edgf"
    assert parse(
        part('form-data; name="image"; filename="a.jpg"', data) + END, TYPE, "image"
    ) == file(data)


def test_a_quoted_boundary_and_what_follows_the_end_are_accepted() -> None:
    assert parse(FILE + END + b"epilogue", 'multipart/form-data; boundary="edge"', "image")


def test_an_empty_form_has_no_parts() -> None:
    assert parse(END, TYPE, "image") == []


@pytest.mark.parametrize(
    ("body", "content_type", "why"),
    [
        (FILE + END, "multipart/form-data", "names no boundary"),
        (FILE + END, "multipart/form-data; boundary=", "names no boundary"),
        (FILE + END, f"multipart/form-data; boundary={'x' * 1000}", "exceeds maximum"),
        (FILE + END, "multipart/form-data; boundary=other", "Expected boundary"),
        (b"", TYPE, "breaks off"),
        (b"--", TYPE, "breaks off"),
        (FILE, TYPE, "breaks off"),
        (FILE + b"--edge", TYPE, "breaks off"),
        (FILE[:30], TYPE, "breaks off"),
        (FILE[:-20] + END[:-4], TYPE, "breaks off"),
        (part("form-data") + END, TYPE, "has no name"),
        (part('form-data; name=""') + END, TYPE, "has no name"),
        (b"--edge\r\n\r\ndata\r\n" + END, TYPE, "has no name"),
        (b"--edge\r\nno colon\r\n\r\ndata\r\n" + END, TYPE, "header"),
        (b"--edge\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\ndata\r\n" + END, TYPE, "header"),
        (b"--edge\r\nX: " + b"y" * MAX_HEADER + END, TYPE, "a header of a part has more than"),
        (b"--edge\r\n" + b"X: y\r\n" * 1000 + b"\r\ndata\r\n" + END, TYPE, "header"),
        (FILE * 257 + END, TYPE, "more than 256 parts"),
        (part('form-data; name="a"', bytes(2**15)) * 3 + END, TYPE, "have more than 65536 bytes"),
        (blob(bytes(2**15)) * 3 + END, TYPE, "its parameters have more than 65536 bytes"),
    ],
)
def test_a_damaged_form_is_refused(body: bytes, content_type: str, why: str) -> None:
    with pytest.raises(RequestRefused, match=why) as refused:
        parse(body, content_type, "image")
    assert refused.value.status == HTTPStatus.BAD_REQUEST
    assert refused.value.message.startswith("the multipart form is damaged: ")


def test_a_file_of_another_field_is_refused_before_it_is_read() -> None:
    other = part('form-data; name="photo"; filename="a.jpg"')
    with pytest.raises(RequestRefused, match="no file 'photo' here, only image") as refused:
        parse(other[:-6], TYPE, "image")
    assert (refused.value.status, refused.value.field) == (HTTPStatus.BAD_REQUEST, "photo")


def test_text_in_place_of_the_file_is_refused_before_it_is_read() -> None:
    """As `curl -F 'image=<photo.jpg'` sends a photo; it may be longer than text may be."""
    text = part('form-data; name="image"', b"")
    with pytest.raises(RequestRefused, match=r"^image must be an uploaded file;") as refused:
        parse(text[:-2], TYPE, "image")
    assert (refused.value.status, refused.value.field) == (HTTPStatus.BAD_REQUEST, "image")


def test_a_form_may_come_byte_by_byte() -> None:
    spool = io.BytesIO()
    form = Form(TYPE, "image", spool)
    for byte in FILE + part('form-data; name="top_k"', b"5") + END:
        form.write(bytes([byte]))
    assert form.close() == [
        Part("image", "a.jpg", spooled=True),
        Part("top_k", None, bytearray(b"5")),
    ]
    assert spool.getvalue() == b"\xff\xd8"


def test_a_header_that_comes_byte_by_byte_is_refused_where_it_is_too_long() -> None:
    form = Form(TYPE, "image", io.BytesIO())
    form.write(b"--edge\r\nX: ")
    for _ in range(MAX_HEADER - 1):
        form.write(b"y")
    with pytest.raises(RequestRefused, match="a header of a part has more than 4096 bytes"):
        form.write(b"y")
