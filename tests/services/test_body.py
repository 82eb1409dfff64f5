"""What becomes of bodies that are too large, or refused for another reason before they end."""

import asyncio
from itertools import count

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message

from services import body
from services.edge import Edge
from tests.services.asgi import run, scope_of
from tests.services.echo import Echo
from tests.services.edges import chunks, new_edge, refused_while_it_sends

MIB = 2**20


def test_a_declared_length_is_refused_before_a_byte_is_read() -> None:
    """But some is read afterwards, for clients that look for an answer when they have sent all."""
    pieces = chunks(*[bytes(MIB)] * 30)
    assert refused_while_it_sends(pieces, content_length=str(30 * MIB)) == (30, [0, 0, 30])


def test_a_body_of_unknown_length_is_refused_at_the_limit() -> None:
    assert refused_while_it_sends(chunks(*[bytes(MIB)] * 30)) == (30, [21, 21, 30])


def test_a_body_that_is_refused_is_read_no_further_than_twice_the_limit() -> None:
    endless = ({"type": "http.request", "body": bytes(MIB), "more_body": True} for _ in count())
    assert refused_while_it_sends(endless) == (40, [21, 21, 40])
    assert refused_while_it_sends(endless, content_length=str(2**60)) == (40, [0, 0, 40])


def test_any_body_that_is_refused_is_read_on() -> None:
    pieces = [bytes(MIB)] * 30
    json = refused_while_it_sends(chunks(*pieces), 415, content_type="application/json")
    assert json == (30, [0, 0, 30])
    head = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n'
    form = chunks(head, *pieces)
    other = refused_while_it_sends(form, 400, content_type="multipart/form-data; boundary=x")
    assert other == (31, [1, 1, 31])
    nowhere = Edge(PlainTextResponse("Not Found", 404), service=Echo)
    lost = refused_while_it_sends(chunks(*pieces), 404, "/nowhere", nowhere)
    assert lost == (30, [0, 0, 30])


def test_a_body_that_is_refused_is_waited_for_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "LINGER", 0.1)

    async def main() -> None:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        await new_edge()(scope_of("/describe", content_length=str(2**60)), receive, send)
        assert [message.get("more_body") for message in sent] == [None, True, None]

    run(main())
