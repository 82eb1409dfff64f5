"""A multipart/form-data body into its parts."""

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from services.errors import RequestRefused, not_uploaded

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

# RFC 8187, in UTF-8. RFC 7578 has no such names in forms, and the parser passes them over; some
# clients send nothing else.
EXTENDED_FILENAME = re.compile(rb";\s*filename\*=utf-8'[^']*'([^;\s]*)", re.IGNORECASE)

MAX_PARTS = 256  # a list may have a part for each of its items
MAX_HEADER = 4096  # bytes of a header of a part, its name and its value
MAX_TEXT = 64 * 1024  # bytes of parameters: many values in little text cost much memory


@dataclass
class Part:
    """One field of a form: `filename` is None where it is text, not a file.

    `spooled` says that it is the file that the form is for, whose data went to a
    stream and not into `data`. `is_json` says that its Content-Type is JSON's:
    browsers send parameters so, as if they were files.
    """

    name: str = ""
    filename: str | None = None
    data: bytearray = field(default_factory=bytearray)
    spooled: bool = False
    is_json: bool = False


class Form:
    """A form that comes in pieces; RequestRefused (400) if it is damaged, has other files, or
    text in place of the file.

    The file of the field `file` goes to the stream `spool`; all that is in other
    fields may have MAX_TEXT bytes together.
    """

    def __init__(self, content_type: str, file: str, spool: BinaryIO) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise _damaged("its Content-Type names no boundary")
        self._collector = _Collector(file, spool)
        try:
            self._parser = MultipartParser(boundary, self._collector.callbacks())
        except FormParserError as error:
            raise _damaged(str(error)) from None

    def write(self, piece: bytes) -> None:
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _damaged(str(error)) from None

    def close(self) -> list[Part]:
        if not self._collector.finished:
            raise _damaged("it breaks off before its end")
        return self._collector.parts


def _damaged(why: str) -> RequestRefused:
    return RequestRefused(HTTPStatus.BAD_REQUEST, f"the multipart form is damaged: {why}")


def _filename(options: dict[bytes, bytes], disposition: bytes) -> str | None:
    """The name of a part's file; None if it is none."""
    if (name := options.get(b"filename")) is not None:
        return name.decode("utf-8", "replace")
    extended = EXTENDED_FILENAME.search(disposition)
    return unquote(extended[1].decode("latin-1")) if extended else None


class _Collector:
    def __init__(self, file: str, spool: BinaryIO) -> None:
        self._file = file
        self._spool = spool
        self._text = 0
        self.parts: list[Part] = []
        self.finished = False
        self._header = bytearray()
        self._value = bytearray()

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_end": self._end,
        }

    def _part_begin(self) -> None:
        if len(self.parts) == MAX_PARTS:
            raise _damaged(f"it has more than {MAX_PARTS} parts")
        self.parts.append(Part())

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._extend(self._header, data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._extend(self._value, data[start:end])

    def _extend(self, text: bytearray, piece: bytes) -> None:
        text += piece
        if len(self._header) + len(self._value) > MAX_HEADER:
            raise _damaged(f"a header of a part has more than {MAX_HEADER} bytes")

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            part = self.parts[-1]
            part.name = options.get(b"name", b"").decode("utf-8", "replace")
            part.filename = _filename(options, bytes(self._value))
        elif self._header.lower() == b"content-type":
            kind, _ = parse_options_header(bytes(self._value))
            self.parts[-1].is_json = kind == b"application/json"
        self._header.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        part = self.parts[-1]
        if not part.name:
            raise _damaged("a part has no name")
        if part.name == self._file:
            if part.filename is None:
                raise not_uploaded(self._file)
            part.spooled = True
        elif part.filename is not None and not part.is_json:
            raise RequestRefused(
                HTTPStatus.BAD_REQUEST, f"no file {part.name!r} here, only {self._file}", part.name
            )

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        part, view = self.parts[-1], memoryview(data)[start:end]
        if part.spooled:
            self._spool.write(view)
            return
        self._text += len(view)
        if self._text > MAX_TEXT:
            raise _damaged(f"its parameters have more than {MAX_TEXT} bytes")
        part.data += view

    def _end(self) -> None:
        self.finished = True
