"""Addresses that files are downloaded from, and what of them nobody is shown."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import Request

PRINTABLE = re.compile("[!-~]*")  # all that HTTP takes behind the host


@dataclass(frozen=True, repr=False)
class Address:
    """An http or https address: `url` has no user and password, they are in `authorization`.

    As a string it is for people, and has no query, either: that may be a token.
    """

    url: str
    authorization: str

    @classmethod
    def parse(cls, text: str) -> "Address":
        """ValueError if it is none; the message, for the user, repeats nothing of it."""
        if not _is_address(text):
            raise ValueError(
                "not an http or https address (in which blanks, accents and the like are %XX)"
            )
        parts = urlsplit(text)
        user, at, host = parts.netloc.rpartition("@")
        name, _, password = user.partition(":")
        credentials = f"{unquote(name)}:{unquote(password)}".encode()
        basic = f"Basic {base64.b64encode(credentials).decode()}"
        return cls(urlunsplit(parts._replace(netloc=host)), basic if at else "")

    def request(self, headers: Mapping[str, str]) -> Request:
        """To be opened: for the file, with more headers."""
        request = Request(self.url, headers=dict(headers))  # noqa: S310 - checked
        if self.authorization:
            # Not for a server that this one refers to.
            request.add_unredirected_header("Authorization", self.authorization)
        return request

    def __str__(self) -> str:
        return urlunsplit(urlsplit(self.url)._replace(query="", fragment=""))


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").encode("idna"), parts.port
    except ValueError:
        return False
    behind = PRINTABLE.fullmatch(parts.path + parts.query)
    return parts.scheme in ("http", "https") and bool(host and behind) and port != 0
