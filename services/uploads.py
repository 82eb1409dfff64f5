"""A request's upload: a file, alone or in a form with other fields."""

import asyncio
import io
from collections.abc import Callable, Mapping
from contextlib import aclosing
from http import HTTPStatus
from typing import BinaryIO

from starlette.requests import Request

from services.body import pieces
from services.errors import RequestRefused
from services.multipart import Form, Part

INLINE_FORM = 256 * 1024  # bytes; the parser takes seconds for much that looks like boundaries
ALONE = "upload"  # the name of a file that comes without one


class Upload:
    """The upload of a request, for the field `file`; RequestRefused (415) if it is JSON."""

    def __init__(self, request: Request, file: str) -> None:
        self._request = request
        self._file = file
        self._is_form = _is_form(request.headers, file)

    async def receive(
        self,
        spool: BinaryIO,
        limit: int,
        setting: str,
        on_piece: Callable[[int], object] = lambda size: None,
    ) -> list[Part]:
        """Write the file to `spool`, in threads if that may take long; the parts of the form.

        A file that comes alone is one part. `on_piece` is called with the bytes of each piece
        before it is kept. RequestRefused as `pieces` and `Form` raise it; ClientDisconnected.
        """
        headers = self._request.headers
        form = Form(headers["content-type"], self._file, spool) if self._is_form else None
        write = form.write if form else spool.write
        on_disk, size = not isinstance(spool, io.BytesIO), 0
        async with aclosing(pieces(headers, self._request.receive, limit, setting)) as body:
            async for piece in body:
                size += len(piece)
                on_piece(len(piece))
                if on_disk or (form and size > INLINE_FORM):
                    await asyncio.to_thread(write, piece)
                else:
                    write(piece)
        return form.close() if form else [Part(self._file, ALONE, spooled=True)]


def _is_form(headers: Mapping[str, str], field: str) -> bool:
    """Whether a body is a form, and not the file itself; RequestRefused (415) if it is JSON."""
    content_type = headers.get("content-type", "").lower()
    if content_type.startswith("application/json"):
        raise RequestRefused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"send the file {field} in a multipart/form-data form, "
            "or as the raw body with a Content-Type of its own",
            field,
        )
    return content_type.startswith("multipart/form-data")
