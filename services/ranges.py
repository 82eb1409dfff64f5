"""Which Range of a request counts."""

import re

from starlette.types import Scope

ONE_RANGE = rb"\s*(\d{1,18}-(\d{1,18})?|-\d{1,18})\s*"
BYTE_RANGES = re.compile(rb"(?i:bytes)=" + ONE_RANGE + rb"(," + ONE_RANGE + rb")*")


def without_odd_ranges(scope: Scope) -> Scope:
    """The request, but for a Range that RFC 9110 has ignored, which Starlette would refuse."""
    headers = [
        (name, value) for name, value in scope["headers"] if name != b"range" or _is_range(value)
    ]
    return {**scope, "headers": headers}


def _is_range(header: bytes) -> bool:
    if not BYTE_RANGES.fullmatch(header):
        return False
    bounds = re.findall(rb"(\d+)-(\d+)", header)
    return all(int(first) <= int(last) for first, last in bounds)
