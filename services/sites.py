"""Requests that a browser makes for a page of another site.

Such a page cannot read the answers, but its forms are sent all the same, and would keep
busy a server that only its reader can reach. Browsers say where a request comes from, in
`Sec-Fetch-Site` (W3C, "Fetch Metadata Request Headers"), to servers on their own machine
and by HTTPS; programs say nothing.
"""

from starlette.datastructures import Headers

READING = ("GET", "HEAD", "OPTIONS")
OWN = ("same-origin", "none")  # "none" is the reader, by the address bar or a bookmark


def is_for_another_site(method: str, headers: Headers) -> bool:
    """Whether a request that asks for work comes from a page of another site."""
    return method not in READING and headers.get("sec-fetch-site", "none") not in OWN
