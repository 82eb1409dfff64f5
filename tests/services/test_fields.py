from http import HTTPStatus
from typing import Annotated

import pytest
from pydantic import AfterValidator, BaseModel

from services.errors import RequestRefused
from services.fields import MAX_QUERY, Fields
from services.multipart import Part


def no_noise(note: str) -> str:
    if note == "noise":
        raise ValueError("that is no note")
    return note


class Photo(BaseModel):
    image: bytes
    note: Annotated[str, AfterValidator(no_noise)] = ""
    sizes: list[int] = []


FIELDS = Fields("image", Photo)


def test_a_query_that_is_too_long_is_refused() -> None:
    note = "x" * (MAX_QUERY - len("note="))
    image = [Part("image", "a.jpg", spooled=True)]
    assert FIELDS.values(image, f"note={note}".encode(), b"1") == {"image": b"1", "note": note}
    with pytest.raises(RequestRefused, match="the query has more than 32768 bytes") as refused:
        FIELDS.values(image, f"note={note}x".encode(), b"1")
    assert refused.value.status == HTTPStatus.REQUEST_URI_TOO_LONG


def test_a_text_that_is_not_utf_8_is_taken_for_what_can_be_read() -> None:
    parts = [Part("note", data=bytearray(b"caf\xe9")), Part("image", "a.jpg", spooled=True)]
    assert FIELDS.values(parts, b"", b"1")["note"] == "caf\ufffd"


def test_a_list_may_be_sent_item_by_item() -> None:
    texts = [Part("sizes", data=bytearray(size)) for size in (b"2", b"3")]
    parts = [*texts, Part("image", "a.jpg", spooled=True)]
    assert FIELDS.values(parts, b"", b"1") == {"image": b"1", "sizes": [2, 3]}
    assert FIELDS.values(parts[1:], b"", b"1") == {"image": b"1", "sizes": 3}
    assert FIELDS.values(parts[2:], b"sizes=2&sizes=3", b"1") == {"image": b"1", "sizes": [2, 3]}


def test_what_is_no_list_may_be_sent_once() -> None:
    image = Part("image", "a.jpg", spooled=True)
    twice = (([image], b"note=a&note=b", "note"), ([image, image], b"", "image"))
    for parts, query, field in twice:
        with pytest.raises(RequestRefused, match=f"^{field} is given more than once$") as refused:
            FIELDS.values(parts, query, b"1")
        assert refused.value.field == field


def test_what_is_wrong_with_an_item_is_said_of_its_field() -> None:
    with pytest.raises(RequestRefused, match=r"^sizes\.1: Input should be a valid int") as refused:
        FIELDS.validate({"image": b"1", "sizes": [1, "x"]})
    assert refused.value.field == "sizes"


def test_our_own_words_are_without_pydantics() -> None:
    with pytest.raises(RequestRefused, match=r"^note: that is no note$"):
        FIELDS.validate({"image": b"1", "note": "noise"})
