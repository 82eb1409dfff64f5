"""Addresses that files are downloaded from, and what of them nobody is shown."""

import re
from urllib.parse import urlsplit

import httpx

PRINTABLE = re.compile("[!-~]*")  # all that HTTP takes behind the host


def parse(text: str) -> httpx.URL:
    """An http or https address; ValueError if it is none.

    The message, for the user, repeats nothing of it.
    """
    if not _is_address(text):
        raise ValueError(
            "not an http or https address (in which blanks, accents and the like are %XX)"
        )
    return httpx.URL(text)


def shown(url: httpx.URL) -> str:
    """An address for people: without user, password and query, which may be a token."""
    return str(url.copy_with(username=None, password=None, query=None, fragment=None))


def _is_address(text: str) -> bool:
    try:
        parts, url = urlsplit(text), httpx.URL(text)
        host, port = (parts.hostname or "").encode("idna"), parts.port
    except (ValueError, httpx.InvalidURL):
        return False
    behind = PRINTABLE.fullmatch(parts.path + parts.query)
    return url.scheme in ("http", "https") and bool(url.host and host and behind) and port != 0
