"""What becomes of bodies that are too large."""

import asyncio
from collections.abc import Iterable
from itertools import count

import pytest
from starlette.types import Message

from services import body
from tests.services.asgi import run, scope_of
from tests.services.edges import chunks, new_edge

MIB = 2**20


def refused_while_it_sends(pieces: Iterable[Message], **headers: str) -> tuple[int, list[int]]:
    """How many messages of a body are read in all, and before each part of the answer 413."""
    read, before = 0, []
    messages = iter(pieces)

    async def receive() -> Message:
        nonlocal read
        read += 1
        return next(messages)

    async def send(message: Message) -> None:
        before.append(read)
        assert message.get("status", 413) == 413

    run(new_edge()(scope_of("/describe", **headers), receive, send))
    return read, before


def test_a_declared_length_is_refused_before_a_byte_is_read() -> None:
    """But some is read afterwards, for clients that look for an answer when they have sent all."""
    pieces = chunks(*[bytes(MIB)] * 30)
    assert refused_while_it_sends(pieces, content_length=str(30 * MIB)) == (30, [0, 0, 30])


def test_a_body_of_unknown_length_is_refused_at_the_limit() -> None:
    assert refused_while_it_sends(chunks(*[bytes(MIB)] * 30)) == (30, [21, 21, 30])


def test_a_body_that_is_refused_is_read_no_further_than_twice_the_limit() -> None:
    endless = ({"type": "http.request", "body": bytes(MIB), "more_body": True} for _ in count())
    assert refused_while_it_sends(endless) == (41, [21, 21, 41])
    assert refused_while_it_sends(endless, content_length=str(2**60)) == (40, [0, 0, 40])


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
